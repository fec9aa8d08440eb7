"""Writes PNG files (ISO/IEC 15948) of every bit depth, colour type and interlacing, and invalid ones."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
# Adam7, table 8.1: the first column and row of each pass, and the steps.
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))

Samples = NDArray[np.uint8] | NDArray[np.uint16]
"""Height x width x channels, each sample below 2 ** bits."""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def header(width: int, height: int, bits: int, colour: int, interlaced: int = 0) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, interlaced))


def file(*chunks: bytes) -> bytes:
    return SIGNATURE + b"".join(chunks) + chunk(b"IEND", b"")


def encode(samples: Samples, bits: int, colour: int, *, interlaced: bool = False, palette: bytes = b"") -> list[bytes]:
    """Return the chunks of a picture, header first; `file` makes a file of them."""
    height, width, _ = samples.shape
    parts = [samples]
    if interlaced:
        parts = [samples[top::down, left::right] for left, top, right, down in _PASSES]
    data = zlib.compress(b"".join(row for part in parts for row in _rows(part, bits)))
    colours = [chunk(b"PLTE", palette)] if palette else []
    return [header(width, height, bits, colour, int(interlaced)), *colours, chunk(b"IDAT", data)]


def _rows(samples: Samples, bits: int) -> Iterator[bytes]:
    if not samples.size:
        return
    for row in samples.reshape(len(samples), -1):
        if bits == 16:
            packed = row.astype(">u2").tobytes()
        elif bits == 8:
            packed = row.astype(np.uint8).tobytes()
        else:
            each = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, -bits:]
            packed = np.packbits(each).tobytes()
        yield b"\0" + packed  # filter 0: none
