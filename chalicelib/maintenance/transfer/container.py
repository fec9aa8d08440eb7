"""The interface to an archive's files, in a folder, a zip file, or under a prefix in S3."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """Reads files by name."""

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a file's bytes, or None when there is no such file; raise ArchiveError above `limit` bytes."""


class Container(Source, Protocol):
    """Reads and writes files by name."""

    def write(self, name: str, data: bytes) -> None:
        """Write the whole file or nothing; replace a file of the same name."""

    def delete(self, name: str) -> None:
        """Delete a file if it exists."""
