"""Decodes uploaded files to upright pixels, and encodes crops of faces as JPEG."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import cv2
import numpy as np

from chalicelib import errors
from chalicelib.errors import ServiceError
from chalicelib.faces import Box, Image
from chalicelib.images import jpeg, png
from chalicelib.images.jpeg import JpegFile
from chalicelib.images.png import PngFile
from chalicelib.settings import current_settings

# The settings have the largest sides and the most bytes.
MIN_SIDE_PX = 48

CROP_MARGIN = 0.3
MAX_CROP_SIDE_PX = 320
# High enough that an embedding computed again from the crop hardly changes.
CROP_JPEG_QUALITY = 95


class Limits(NamedTuple):
    """The most bytes of a picture's file, and the longest side in pixels."""

    bytes: int
    side_px: int


def limits_of_requests() -> Limits:
    """Return the limits of pictures in requests, which the settings have."""
    return Limits(current_settings().max_image_bytes, current_settings().max_image_side_px)


def decode(data: bytes, limits: Limits | None = None) -> Image:
    """Return the picture in a JPEG or PNG file: height x width x 3, RGB, turned upright by its EXIF orientation.

    The size of the file, its structure and the picture's sides are checked before any pixel is decoded.

    Parameters
    ----------
    limits
        By default those of requests.

    Raises
    ------
    ServiceError
        1004, with 413 for too many bytes, 415 for another file type, 400 for a broken file or sides out of range.
    """
    limits = limits or limits_of_requests()
    if len(data) > limits.bytes:
        raise too_many_bytes(data, limits)
    file = _parse(data)
    if not _are_within(limits, file):
        raise errors.file_error(f"the picture's sides {_must_be(limits)}; it is {file.width} x {file.height}")
    return file.pixels()


def too_many_bytes(data: bytes = b"", limits: Limits | None = None) -> errors.ServiceError:
    """Return the error for a file that is too large; it also names the sides if these are known and out of range."""
    limits = limits or limits_of_requests()
    detail = f"the picture may have at most {limits.bytes} bytes"
    with suppress(ServiceError):
        file = _parse(data)
        if not _are_within(limits, file):
            sides = f"its sides {_must_be(limits)}"
            detail += f", and {sides}; it has {len(data)} bytes and is {file.width} x {file.height}"
    return errors.file_error(detail, status=413)


def _parse(data: bytes) -> PngFile | JpegFile:
    if data.startswith(png.SIGNATURE):
        return png.parse(data)
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.parse(data)
    raise errors.file_error("the file is neither a JPEG nor a PNG", status=415)


def _are_within(limits: Limits, file: PngFile | JpegFile) -> bool:
    return all(MIN_SIDE_PX <= side <= limits.side_px for side in (file.width, file.height))


def _must_be(limits: Limits) -> str:
    return f"must be {MIN_SIDE_PX} to {limits.side_px} px"


def crop(image: Image, box: Box) -> tuple[bytes, Box, float]:
    """Cut out a face with a margin, reduced to at most 320 px a side.

    Returns
    -------
    The JPEG, the part of the image that it shows (in whole pixels), and its number of pixels per pixel of the image.
    """
    height, width = image.shape[:2]
    across, down = (box.right - box.left) * CROP_MARGIN, (box.bottom - box.top) * CROP_MARGIN
    left, top = max(0, int(box.left - across)), max(0, int(box.top - down))
    right, bottom = min(width, int(np.ceil(box.right + across))), min(height, int(np.ceil(box.bottom + down)))
    part = image[top:bottom, left:right]
    scale = min(1.0, MAX_CROP_SIDE_PX / max(part.shape[:2]))
    if scale < 1:
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        # OpenCV's stubs declare no dtype.
        part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    bgr = cv2.cvtColor(part, cv2.COLOR_RGB2BGR)
    _, file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, CROP_JPEG_QUALITY])
    return file.tobytes(), Box(left, top, right, bottom), scale


def decode_crop(data: bytes) -> Image | None:
    """Return the picture in a file that `crop` made, of any size; None if the file is broken."""
    try:
        return jpeg.parse(data).pixels()
    except ServiceError:
        return None


def is_crop(data: bytes) -> bool:
    """Return whether `crop` can have made a file: a complete JPEG of at most 320 px a side."""
    try:
        file = jpeg.parse(data)
        if not (1 <= file.width <= MAX_CROP_SIDE_PX and 1 <= file.height <= MAX_CROP_SIDE_PX):
            return False
        file.pixels()
    except ServiceError:
        return False
    return True
