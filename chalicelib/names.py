"""Normalises people's names, so that the same name from any system is stored once."""

from __future__ import annotations

from unicodedata import normalize

from chalicelib.faces import DEFAULT_NAME

# Counted in the stored form.
MAX_NAME_CHARACTERS = 255
# No character decomposes into more than four (UAX #15), so a longer name cannot be composed into one that fits. Check
# this bound first: `normalize` takes quadratic time for a long row of combining marks.
MAX_SENT_CHARACTERS = 4 * MAX_NAME_CHARACTERS


def normalized(name: str) -> str:
    """Return a name in NFC (UAX #15), its stored and compared form; empty for white space, which counts as no name.

    Keyboards type `é` as one character; macOS splits it in two in file names. Without NFC these are two people.
    The result may have more or fewer characters than the name.
    """
    return normalize("NFC", name) if name.strip() else ""


def kept(name: str) -> str:
    """Return the stored name of a face from an archive or an earlier version.

    A name of at most 255 characters stays as it is if NFC makes it longer than 255, so that its face is not refused.
    """
    stored = normalized(name) or DEFAULT_NAME
    return stored if len(stored) <= MAX_NAME_CHARACTERS else name
