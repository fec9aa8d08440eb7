"""Errors of archives."""

from __future__ import annotations


class ArchiveError(Exception):
    """The archive is missing, damaged, or unsuitable for this face set. One sentence, without personal data."""


def too_large(file: str, limit: int) -> ArchiveError:
    return ArchiveError(f"{file} has more than {limit} bytes")
