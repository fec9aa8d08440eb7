"""An input that repeats something, and the pixels that it claims."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.images.decoding import MAX_IMAGE_BYTES, MAX_SIDE_PX

LARGEST_PIXELS = MAX_SIDE_PX * MAX_SIDE_PX


class Costly(NamedTuple):
    """`pixels` are those that a decoder may have to fill; 0 when the file is refused before that."""

    name: str
    data: bytes
    pixels: int = 0


def filled(head: bytes, repeated: bytes, tail: bytes, most: int = MAX_IMAGE_BYTES) -> bytes:
    """Return head and tail, and between them as many repetitions as fit."""
    return head + repeated * ((most - len(head) - len(tail)) // len(repeated)) + tail
