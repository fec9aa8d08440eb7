"""Folds names to compare and find them, as bytes that every database sorts and searches alike."""

from __future__ import annotations

from unicodedata import combining, normalize

from chalicelib.faces import DEFAULT_NAME


def fold(name: str) -> bytes:
    """Return a name, given in NFC, without outer white space and under full case folding, as UTF-8.

    Faces of a face set with equal folded names are one person. Folding decomposes some characters (U+0390), so the
    result is normalized to NFC again.
    """
    return _folded(name.strip())


def is_person(folded: bytes) -> bool:
    """Return whether a folded name is a person's; faces with the default name have no person."""
    return folded != _UNNAMED


def without_accents(name: str) -> bytes:
    """Return a name, or a part of a name, under case folding and without accents, as UTF-8."""
    decomposed = normalize("NFD", name.casefold())
    return normalize("NFC", "".join(letter for letter in decomposed if not combining(letter))).encode("utf-8")


def beginning_with(prefix: str) -> tuple[bytes, bytes]:
    """Return the range of folded names that start with a non-empty prefix: its first value, and its excluded end."""
    first = _folded(prefix.lstrip())
    # No byte of UTF-8 is 255, so the last byte can be incremented.
    return first, first[:-1] + bytes([first[-1] + 1])


def _folded(text: str) -> bytes:
    return normalize("NFC", text.casefold()).encode("utf-8")


_UNNAMED = fold(DEFAULT_NAME)
