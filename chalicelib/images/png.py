"""Reads the still picture of PNG files (ISO/IEC 15948), and rejects incomplete files."""

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
# This bit of a chunk type's first letter marks chunks that a decoder may ignore.
_ANCILLARY = 0x20


class PngFile(NamedTuple):
    """A file with complete chunks; its sides are in pixels, before the picture is turned upright.

    `data` has only the critical chunks. Text, profiles and animation would cost the decoder memory for nothing.
    """

    width: int
    height: int
    orientation: int
    data: bytes

    def pixels(self) -> Image:
        """Return the picture: height x width x 3, RGB, upright.

        16 bits become 8, and transparency is ignored.

        Raises
        ------
        ServiceError
            1004 if the compressed data cannot be decoded to a picture of the size in the header.
        """
        flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
        try:
            image = cv2.imdecode(np.frombuffer(self.data, np.uint8), flags)
        except cv2.error:
            image = None
        if image is None or image.shape != (self.height, self.width, 3):
            raise errors.broken_picture()
        return exif.upright(image, self.orientation)  # type: ignore[arg-type]  # OpenCV's stubs declare no dtype


def parse(data: bytes) -> PngFile:
    """Read the chunks of a file to the last and check their checksums, without decoding pixels.

    Raises
    ------
    ServiceError
        1004 if the file ends early, a checksum is wrong, or the first chunk is not the file's only header.
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
    """Yield the kind and the bytes of each chunk, up to and with IEND."""
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
