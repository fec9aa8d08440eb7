"""PNG files, ISO/IEC 15948: whole ones only, and of them the still picture."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from chalicelib import errors
from chalicelib.faces import Image
from chalicelib.images import exif

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# The bit of a chunk's first letter that marks what a decoder may ignore.
_ANCILLARY = 0x20


class PngFile(NamedTuple):
    """A file whose chunks are whole; its sides in pixels, before it is turned upright.

    `data` has the critical chunks alone: text, profiles and animation would cost the decoder memory for nothing.
    """

    width: int
    height: int
    orientation: int
    data: bytes

    def pixels(self) -> Image:
        """Return the picture: height x width x 3, RGB, upright. 16 bits become 8, transparency is ignored.

        Raises
        ------
        ServiceError
            1004 when the compressed data are not those of such a picture.
        """
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        try:
            image = cv2.imdecode(np.frombuffer(self.data, np.uint8), flags)
        except cv2.error:
            image = None
        if image is None or image.shape != (self.height, self.width, 3):
            raise errors.broken_picture()
        return exif.upright(image, self.orientation)  # type: ignore[arg-type]  # OpenCV's stubs tell no dtype


def parse(data: bytes) -> PngFile:
    """Walk the chunks of a file to the last and check the checksum of each; no pixel is decoded.

    Raises
    ------
    ServiceError
        1004 when the file ends early, a checksum is wrong, or the header is not the first chunk, once.
    """
    if not data.startswith(SIGNATURE):
        raise errors.broken_picture()
    size: tuple[int, int] | None = None
    orientation, critical = None, [SIGNATURE]
    for kind, chunk in _chunks(data):
        if (size is None) != (kind == b"IHDR"):
            raise errors.broken_picture()
        content = chunk[8:-4]
        if kind == b"IHDR":
            if len(content) != 13:
                raise errors.broken_picture()
            size = struct.unpack_from(">II", content)
        elif kind == b"eXIf" and orientation is None:
            orientation = exif.orientation(content)
        if not kind[0] & _ANCILLARY:
            critical.append(chunk)
    if size is None:
        raise errors.broken_picture()
    return PngFile(*size, orientation or 1, b"".join(critical))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield kind and bytes of each chunk up to the end of the picture."""
    position, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if position + 12 > len(data):
            raise errors.broken_picture()
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 12 + length
        if end > len(data):
            raise errors.broken_picture()
        if zlib.crc32(data[position + 4 : end - 4]) != struct.unpack_from(">I", data, end - 4)[0]:
            raise errors.broken_picture()
        yield kind, data[position:end]
        position = end
