"""JPEG files, ITU T.81: whole ones only.

Decoders fill what is missing with grey, and tell so by a warning at most. Here libjpeg-turbo's warnings are errors.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg

from chalicelib import errors, exif
from chalicelib.faces import Image

SIGNATURE = b"\xff\xd8\xff"
# libjpeg's own script has 10. Each costs a pass over all coefficients, but no more than some 30 bytes of file.
MAX_SCANS = 64

# Table B.1. Start-of-frame markers are all of C0..CF but DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = frozenset({0xC0, 0xC1, 0xC9})
_PROGRESSIVE = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
_SCAN, _END, _APP0, _APP1 = 0xDA, 0xD9, 0xE0, 0xE1
_MARKER = re.compile(rb"\xff+[^\x00\xff]", re.DOTALL)
# In a scan's data a real marker is FF and neither a stuffed 00, a restart (D0..D7) nor fill (FF).
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_EXIF = b"Exif\0\0"

_JFIF, _JFIF_MAJOR = b"JFIF\0", b"\1"
# Table B.3: what the last parameters of a scan are in a sequential picture.
_WHOLE_SPECTRUM = bytes((0, 63, 0))

_ALL_COEFFICIENTS = (1 << 64) - 1
# Some cameras pad the data of the last scan. libjpeg-turbo says so when it has every block of every scan.
_PADDED = re.compile(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0xd9")
# Some programs sample the components of CMYK in a way that simplejpeg does not take, and OpenCV does.
_UNUSUAL = "Could not determine subsampling level"
# Bytes without FF, unlike the zeros that decoders put in, behind each restart marker. Where one is missing a decoder
# takes the next two for the gap's other end, so it must not find one of these first in both cases.
_MORE_DATA = tuple(
    b"".join(bytes((step * byte + start) % 255 for byte in range(64)) + bytes((0xFF, marker)) for marker in markers)
    for step, start, markers in ((37, 0x55, range(0xD0, 0xD8)), (91, 0xAA, (*range(0xD4, 0xD8), *range(0xD0, 0xD4))))
)


class JpegFile(NamedTuple):
    """A file whose segments are whole; its sides in pixels, before it is turned upright.

    `data` has no such flaws as libjpeg warns of although they do no harm. `scan_ends` are the places in `data` of the
    markers behind each scan.
    """

    width: int
    height: int
    orientation: int
    scan_ends: tuple[int, ...]
    data: bytes

    def pixels(self) -> Image:
        """Return the picture: height x width x 3, RGB, upright.

        Raises
        ------
        ServiceError
            1004 when data are missing or damaged.
        """
        try:
            image = simplejpeg.decode_jpeg(self.data, "RGB")
        except ValueError as error:
            if _PADDED.fullmatch(str(error)):
                image = simplejpeg.decode_jpeg(self.data, "RGB", strict=False)
            elif _UNUSUAL in str(error):
                image = self._unusual_pixels()
            else:
                raise errors.broken_picture() from None
        if image is None or image.shape != (self.height, self.width, 3):
            raise errors.broken_picture()
        return exif.upright(image, self.orientation)

    def _unusual_pixels(self) -> Image | None:
        """Return the picture, not turned, as OpenCV decodes it; None when data are missing.

        OpenCV does not tell, but then takes what it lacks from whatever is put behind the data that are there.
        """
        starts = (0, *self.scan_ends)
        parts = [self.data[start:end] for start, end in zip(starts, (*self.scan_ends, None), strict=True)]
        # A last FF would make a marker of what follows.
        parts[:-1] = [part.rstrip(b"\xff") for part in parts[:-1]]
        image = _decode_with_opencv(self.data)
        for more in _MORE_DATA:
            other = _decode_with_opencv(more.join(parts))
            if image is None or other is None or not np.array_equal(image, other):
                return None
        return image


def parse(data: bytes) -> JpegFile:
    """Walk the segments and scans of a file to its end-of-image marker; no pixel is decoded.

    Raises
    ------
    ServiceError
        1004 when the file ends early, lacks a scan, or has more than `MAX_SCANS`.
    """
    if not data.startswith(SIGNATURE):
        raise errors.broken_picture()
    frame, orientation, scans = None, None, 0
    ends: list[int] = []
    for kind, place, start, end in _segments(data):
        if scans > len(ends):
            ends.append(place)
        segment = data[start:end]
        if kind in _FRAMES:
            if frame is not None:
                raise errors.broken_picture()
            frame = _Frame(kind, segment)
        elif kind == _SCAN:
            scans += 1
            if frame is None or scans > MAX_SCANS:
                raise errors.broken_picture()
            frame.add_scan(segment)
            if frame.kind in _SEQUENTIAL and not segment.endswith(_WHOLE_SPECTRUM):  # Samsung's phones
                data = data[: end - 3] + _WHOLE_SPECTRUM + data[end:]
        elif kind == _APP0 and segment.startswith(_JFIF) and segment[5:6] not in (b"", _JFIF_MAJOR):
            data = data[: start + 5] + _JFIF_MAJOR + data[start + 6 :]
        elif kind == _APP1 and orientation is None and segment.startswith(_EXIF):
            orientation = exif.orientation(segment.removeprefix(_EXIF))
    if frame is None or not frame.is_complete():
        raise errors.broken_picture()
    return JpegFile(frame.width, frame.height, orientation or 1, tuple(ends), data)


class _Frame:
    """A frame's header, and which of its coefficients the scans so far have brought to their last bit."""

    def __init__(self, kind: int, segment: bytes) -> None:
        if len(segment) < 6 or len(segment) != 6 + 3 * segment[5] or segment[5] not in (1, 3, 4):
            raise errors.broken_picture()
        self.height, self.width = struct.unpack_from(">HH", segment, 1)
        self.kind = kind
        self._sent = dict.fromkeys(segment[6::3], 0)

    def add_scan(self, segment: bytes) -> None:
        if not segment or len(segment) != 4 + 2 * segment[0]:
            raise errors.broken_picture()
        first, last, bits = segment[-3:]
        sent = _ALL_COEFFICIENTS
        if self.kind in _PROGRESSIVE:
            # The lower half of `bits` tells how many bits later scans must still bring.
            sent = 0 if bits & 0x0F else (2 << last) - (1 << first)
        for component in segment[1:-3:2]:
            if component not in self._sent:
                raise errors.broken_picture()
            self._sent[component] |= sent

    def is_complete(self) -> bool:
        return all(sent & _ALL_COEFFICIENTS == _ALL_COEFFICIENTS for sent in self._sent.values())


def _decode_with_opencv(data: bytes) -> Image | None:
    try:
        # OpenCV's stubs tell no dtype.
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)  # type: ignore[return-value]
    except cv2.error:
        return None


def _segments(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Yield each segment's marker, its place, and start and end of the parameters; end-of-image is the last."""
    position, in_scan = 2, False
    while True:
        marker = _NEXT_MARKER.search(data, position) if in_scan else _MARKER.match(data, position)
        if marker is None:
            raise errors.broken_picture()
        kind, position = data[marker.end() - 1], marker.end()
        if kind == _END:
            yield kind, marker.start(), position, position
            return
        if position + 2 > len(data):
            raise errors.broken_picture()
        (length,) = struct.unpack_from(">H", data, position)
        if length < 2 or position + length > len(data):
            raise errors.broken_picture()
        yield kind, marker.start(), position + 2, position + length
        in_scan = in_scan or kind == _SCAN
        position += length
