"""What can be wrong with an archive."""

from __future__ import annotations


class ArchiveError(Exception):
    """The archive is missing, damaged, or not for this face set; the message is one sentence without personal data."""


def too_large(file: str, limit: int) -> ArchiveError:
    return ArchiveError(f"{file} has more than {limit} bytes")
