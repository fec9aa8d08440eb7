"""Where incoming pictures are, and where their results go."""

from __future__ import annotations

from typing import Protocol


class TooLargeError(Exception):
    """A picture has more bytes than the caller reads."""


class Inbox(Protocol):
    """Pictures and results by path. Methods raise ServiceError 1003 when the store fails."""

    def read(self, path: str, most_bytes: int) -> bytes | None:
        """Return a picture, or None when it is gone; raise TooLargeError, without reading it, if it has more bytes."""
        ...

    def answered(self, path: str, fingerprint: str) -> bool:
        """Return whether the picture has a result that was written for this fingerprint."""
        ...

    def write(self, path: str, fingerprint: str, body: bytes) -> None:
        """Write the picture's result, at `paths.result_of(path)`."""
        ...
