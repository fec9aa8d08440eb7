"""Reads the orientation in EXIF data, and turns pictures upright."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import cv2

from chalicelib.faces import Image

# CIPA DC-008: the tag Orientation, in the first directory of a TIFF structure. It is one SHORT. Some programs write
# another type of whole number or another count; viewers use the first number.
_ORIENTATION, _SHORT = 0x0112, "H"
# TIFF 6.0, section 2.
_WHOLE_NUMBERS = {1: "B", 3: _SHORT, 4: "I", 6: "b", 8: "h", 9: "i"}
_INLINE_BYTES = 4
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
    """Return the orientation, 1 to 8, in EXIF data (a TIFF structure); 1 if there is none or the data are broken."""
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    if directory + 2 > len(tiff):
        return 1
    (entries,) = struct.unpack_from(order + "H", tiff, directory)
    end = min(directory + 2 + entries * _ENTRY_BYTES, len(tiff))
    for position in range(directory + 2, end - _ENTRY_BYTES + 1, _ENTRY_BYTES):
        if struct.unpack_from(order + "H", tiff, position)[0] == _ORIENTATION:
            return _first_number(tiff, order, position)
    return 1


def _first_number(tiff: bytes, order: str, entry: int) -> int:
    """Return the first number of an entry if it is an orientation, else 1.

    Numbers of more than four bytes in all are stored elsewhere. If the type or count is wrong, the entry itself may
    hold the number.
    """
    kind, count = struct.unpack_from(order + "HI", tiff, entry + 2)
    number = _WHOLE_NUMBERS.get(kind)
    if number is None:
        return 1
    inline = entry + _ENTRY_BYTES - _INLINE_BYTES
    fits = count * struct.calcsize(number) <= _INLINE_BYTES
    place = inline if fits else struct.unpack_from(order + "I", tiff, inline)[0]
    for form, start in ((number, place), (number, inline), (_SHORT, inline)):
        found = tiff[start : start + struct.calcsize(form)]
        if len(found) == struct.calcsize(form) and 1 <= (value := struct.unpack(order + form, found)[0]) <= 8:
            return int(value)
    return 1


def upright(image: Image, orientation: int) -> Image:
    """Return a picture, height x width x 3, turned upright from this orientation."""
    turn = _TURNS.get(orientation)
    return turn(image) if turn else image  # type: ignore[return-value]  # OpenCV's stubs declare no dtype
