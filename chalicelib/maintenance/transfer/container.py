"""Where an archive's files are: a folder, a zip file, or a prefix of S3."""

from __future__ import annotations

from typing import Protocol


class Source(Protocol):
    """Files by their names, to be read."""

    def read(self, name: str, limit: int) -> bytes | None:
        """Return a file, or None when there is none; raise ArchiveError when it has more bytes than `limit`."""


class Container(Source, Protocol):
    """Files by their names, to be read and written."""

    def write(self, name: str, data: bytes) -> None:
        """Write a whole file or nothing, over one of that name."""

    def delete(self, name: str) -> None:
        """Delete a file, if there is one."""
