"""Which way up a picture is, by its EXIF data."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import cv2

from chalicelib.faces import Image

# CIPA DC-008: the tag Orientation, a SHORT, in the first directory of a TIFF structure.
_ORIENTATION, _SHORT = 0x0112, 3
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_BYTES = 12

_TURNS: Mapping[int, Callable[[Image], object]] = {
    2: lambda image: cv2.flip(image, 1),
    3: lambda image: cv2.rotate(image, cv2.ROTATE_180),
    4: lambda image: cv2.flip(image, 0),
    5: cv2.transpose,
    6: lambda image: cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE),
    7: lambda image: cv2.flip(cv2.transpose(image), -1),
    8: lambda image: cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE),
}


def orientation(tiff: bytes) -> int:
    """Return the orientation that EXIF data, a TIFF structure, tell: 1 to 8; 1 when they tell none or are broken."""
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    if directory + 2 > len(tiff):
        return 1
    (entries,) = struct.unpack_from(order + "H", tiff, directory)
    end = min(directory + 2 + entries * _ENTRY_BYTES, len(tiff))
    for position in range(directory + 2, end - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        tag, kind, count, value = struct.unpack_from(order + "HHIH", tiff, position)
        if tag == _ORIENTATION:
            return value if kind == _SHORT and count == 1 and 1 <= value <= 8 else 1
    return 1


def upright(image: Image, orientation: int) -> Image:
    """Return a picture, height x width x 3, turned as its orientation asks for."""
    turn = _TURNS.get(orientation)
    return turn(image) if turn else image  # type: ignore[return-value]  # OpenCV's stubs tell no dtype
