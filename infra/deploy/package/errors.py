"""What stops a package from being made."""

from __future__ import annotations


class PackageError(Exception):
    """The package cannot be made as asked; the message says what to do about it."""
