"""Inputs that repeat a structure as often as fits."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.settings import CONTRACT_IMAGE_BYTES, CONTRACT_SIDE_PX

LARGEST_PIXELS = CONTRACT_SIDE_PX * CONTRACT_SIDE_PX


class Costly(NamedTuple):
    """An input; `pixels` is how many a decoder may have to fill, or 0 if the file is refused before decoding."""

    name: str
    data: bytes
    pixels: int = 0


def filled(head: bytes, repeated: bytes, tail: bytes, most: int = CONTRACT_IMAGE_BYTES) -> bytes:
    """Return head and tail with as many repetitions between them as fit."""
    return head + repeated * ((most - len(head) - len(tail)) // len(repeated)) + tail
