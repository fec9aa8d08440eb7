"""Errors of packaging a stage."""

from __future__ import annotations


class PackageError(Exception):
    """The stage cannot be packaged as requested. The message gives the reason and the remedy."""
