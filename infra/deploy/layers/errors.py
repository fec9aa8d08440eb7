"""Errors of building the layers."""

from __future__ import annotations


class LayerError(Exception):
    """The layers cannot be built as requested. The message gives the remedy."""


class IndexUnreachableError(LayerError):
    """The package index did not answer."""
