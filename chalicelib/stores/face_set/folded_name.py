"""Names without regard to case, as bytes whose order is the same in every database."""

from __future__ import annotations

from unicodedata import normalize


def fold(name: str) -> bytes:
    """Return what two names, in NFC, have in common that differ in case only: full case folding, as UTF-8.

    Folding splits some characters that it would otherwise leave whole (U+0390), so the result is composed again.
    """
    return normalize("NFC", name.casefold()).encode("utf-8")


def beginning_with(prefix: str) -> tuple[bytes, bytes]:
    """Return the first folded name that begins with a prefix, which is not empty, and the end of their range."""
    first = fold(prefix)
    # No byte of UTF-8 is 255, so the last one can be raised.
    return first, first[:-1] + bytes([first[-1] + 1])
