"""What stops the layers from being built."""

from __future__ import annotations


class LayerError(Exception):
    """The layers cannot be built as asked; the message says what to do about it."""


class IndexUnreachableError(LayerError):
    """The package index did not answer."""
