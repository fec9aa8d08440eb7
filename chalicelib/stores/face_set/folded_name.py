"""Folds names to compare them without case, as bytes that every database sorts in the same order."""

from __future__ import annotations

from unicodedata import normalize


def fold(name: str) -> bytes:
    """Return a name, given in NFC, under full case folding, as UTF-8. Names that differ only in case give equal bytes.

    Folding decomposes some characters (U+0390), so the result is normalized to NFC again.
    """
    return normalize("NFC", name.casefold()).encode("utf-8")


def beginning_with(prefix: str) -> tuple[bytes, bytes]:
    """Return the range of folded names that start with a non-empty prefix: its first value, and its excluded end."""
    first = fold(prefix)
    # No byte of UTF-8 is 255, so the last byte can be incremented.
    return first, first[:-1] + bytes([first[-1] + 1])
