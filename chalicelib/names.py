"""Names of people: one spelling for each name, whichever system wrote it."""

from __future__ import annotations

from unicodedata import normalize

from chalicelib.faces import DEFAULT_NAME

# Of a name as it is stored.
MAX_NAME_CHARACTERS = 255
# No character decomposes into more than four (UAX #15), so a longer name cannot be composed into one that fits. The
# bound comes first, as `normalize` takes quadratic time for a long row of combining marks.
MAX_SENT_CHARACTERS = 4 * MAX_NAME_CHARACTERS


def normalized(name: str) -> str:
    """Return a name as it is stored and compared: in NFC (UAX #15); empty for white space, which counts as no name.

    Keyboards type `é` as one character, while macOS splits it in file names. Without NFC these are two people.
    The result may have more characters than the name, or fewer.
    """
    return normalize("NFC", name) if name.strip() else ""


def kept(name: str) -> str:
    """Return the name under which a face of an archive, or of an earlier version, is kept.

    A name of at most 255 characters that NFC makes longer stays as it is, so that no face is refused for it.
    """
    stored = normalized(name) or DEFAULT_NAME
    return stored if len(stored) <= MAX_NAME_CHARACTERS else name
