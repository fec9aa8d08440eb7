"""Returns the shape of a JSON value: its fields and their types."""

from __future__ import annotations

from typing import Any


def shape(value: Any) -> Any:
    """Return a value with its leaves replaced by type names; a list contains its distinct shapes."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        different: list[Any] = []
        for item in map(shape, value):
            if item not in different:
                different.append(item)
        return different
    return type(value).__name__
