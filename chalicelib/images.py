"""From an uploaded file to upright pixels, and from pixels to a JPEG crop."""

from __future__ import annotations

import re
import struct
import zlib

import cv2
import numpy as np

from chalicelib import errors
from chalicelib.faces import Box, Image

MAX_IMAGE_BYTES = 2 * 1024 * 1024
MIN_SIDE_PX, MAX_SIDE_PX = 48, 4096

CROP_MARGIN = 0.3
MAX_CROP_SIDE_PX = 320
# High enough that an embedding made from the crop again hardly moves.
CROP_JPEG_QUALITY = 95

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Start-of-frame markers, ITU T.81 table B.1: all of C0..CF but DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SCAN, _END = 0xDA, 0xD9
# In a scan's data a real marker is FF and neither a stuffed 00, a restart (D0..D7) nor fill (FF).
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)


def decode(data: bytes) -> Image:
    """Return the picture of a JPEG or PNG file: height x width x 3, RGB, upright by its EXIF orientation.

    Size and completeness are checked before any pixel is decoded.

    Raises
    ------
    ServiceError
        1004, with 413 for too many bytes, 415 for another type, 400 for a broken file or sides out of range.
    """
    if len(data) > MAX_IMAGE_BYTES:
        raise too_many_bytes()
    if data.startswith(_PNG):
        width, height = _png_size(data)
    elif data.startswith(_JPEG):
        width, height = _jpeg_size(data)
    else:
        raise errors.file_error("the file is neither a JPEG nor a PNG", status=415)
    if not (MIN_SIDE_PX <= width <= MAX_SIDE_PX and MIN_SIDE_PX <= height <= MAX_SIDE_PX):
        raise errors.file_error(
            f"the picture's sides must be {MIN_SIDE_PX} to {MAX_SIDE_PX} px; it is {width} x {height}"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:
        image = None
    if image is None or sorted(image.shape[:2]) != sorted((width, height)):
        raise _broken()
    return image  # type: ignore[return-value]  # OpenCV's stubs tell no dtype


def too_many_bytes() -> errors.ServiceError:
    return errors.file_error(f"the picture may have at most {MAX_IMAGE_BYTES} bytes", status=413)


def crop(image: Image, box: Box) -> tuple[bytes, Box, float]:
    """Cut a face out with its margin and bring it to at most 320 px a side.

    Returns
    -------
    The JPEG, the part of the image it shows (whole pixels), and its pixels per pixel of the image.
    """
    height, width = image.shape[:2]
    across, down = (box.right - box.left) * CROP_MARGIN, (box.bottom - box.top) * CROP_MARGIN
    left, top = max(0, int(box.left - across)), max(0, int(box.top - down))
    right, bottom = min(width, int(np.ceil(box.right + across))), min(height, int(np.ceil(box.bottom + down)))
    part = image[top:bottom, left:right]
    scale = min(1.0, MAX_CROP_SIDE_PX / max(part.shape[:2]))
    if scale < 1:
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        # OpenCV's stubs tell no dtype.
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    bgr = cv2.cvtColor(part, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, CROP_JPEG_QUALITY])
    return jpeg.tobytes(), Box(left, top, right, bottom), scale


def decode_crop(jpeg: bytes) -> Image | None:
    """Return the picture of a file that `crop` has made, of whatever size; None when it is broken."""
    try:
        image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    except cv2.error:  # no bytes at all
        return None
    return image  # type: ignore[return-value]  # OpenCV's stubs tell no dtype


def is_crop(jpeg: bytes) -> bool:
    """Tell whether a file can be one that `crop` has made: a whole JPEG, no side too long. No pixel is decoded."""
    if not jpeg.startswith(_JPEG):
        return False
    try:
        sides = _jpeg_size(jpeg)
    except errors.ServiceError:
        return False
    return all(1 <= side <= MAX_CROP_SIDE_PX for side in sides)


def _broken() -> errors.ServiceError:
    return errors.file_error("the picture is broken or cut off")


def _png_size(data: bytes) -> tuple[int, int]:
    """Walk the chunks to the end and check each one's CRC; return width and height in pixels."""
    position, size = len(_PNG), (0, 0)
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            break
        if zlib.crc32(data[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            break
        if (position == len(_PNG)) != (kind == b"IHDR"):
            break
        if kind == b"IHDR":
            if length != 13:
                break
            size = struct.unpack_from(">II", data, position + 8)
        elif kind == b"IEND":
            return size
        position = end
    raise _broken()


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walk the segments and scans to the end-of-image marker; return width and height in pixels, before EXIF."""
    position, size, scans = 2, None, 0
    while True:
        marker = _NEXT_MARKER.search(data, position) if scans else _marker_at(data, position)
        if marker is None:
            raise _broken()
        kind = data[marker.end() - 1]
        position = marker.end()
        if kind == _END:
            break
        if position + 2 > len(data):
            raise _broken()
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2 or position + length > len(data):
            raise _broken()
        if kind in _FRAMES:
            if size is not None or length < 8:
                raise _broken()
            height, width = struct.unpack_from(">HH", data, position + 3)
            size = (width, height)
        scans += kind == _SCAN
        position += length
    if size is None or not scans:
        raise _broken()
    return size


_MARKER = re.compile(rb"\xff+[^\x00\xff]", re.DOTALL)


def _marker_at(data: bytes, position: int) -> re.Match[bytes] | None:
    return _MARKER.match(data, position)
