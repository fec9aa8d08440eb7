"""The bytes of a segment's object: the lengths of its three parts, then the parts."""

from __future__ import annotations

import struct
from collections.abc import Sequence

_LENGTHS = struct.Struct("<3I")


def joined(parts: Sequence[bytes | memoryview]) -> bytes:
    """Return three parts as one object's bytes."""
    return b"".join([_LENGTHS.pack(*map(len, parts)), *parts])


def parted(data: memoryview) -> list[memoryview]:
    """Return the three parts of an object, without copying them. The object must be undamaged."""
    parts, start = [], _LENGTHS.size
    for length in _LENGTHS.unpack_from(data):
        parts.append(data[start : start + length])
        start += length
    return parts
