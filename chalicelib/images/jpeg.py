"""Reads JPEG files (ITU T.81), and rejects incomplete ones.

Decoders fill missing data with grey and give at most a warning. Here libjpeg-turbo's warnings are errors, unless every
block of the picture is present.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg

from chalicelib import errors
from chalicelib.faces import Image
from chalicelib.images import exif

SIGNATURE = b"\xff\xd8\xff"
# libjpeg's own script has 10. Each scan costs a pass over all coefficients, but may take only about 30 bytes of the
# file.
MAX_SCANS = 64
# Cameras write a few dozen.
MAX_SEGMENTS = 4_096

# Table B.1. Start-of-frame markers are C0 to CF, except DHT (C4), JPG (C8) and DAC (CC).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL, _PROGRESSIVE = frozenset({0xC0, 0xC1}), frozenset({0xC2})
# libjpeg does not notice where arithmetic coding is cut off: it decodes any bytes to pixels.
_ARITHMETIC = frozenset(range(0xC9, 0xD0))
_SAMPLE_BITS = 8
_SCAN, _END, _APP0, _APP1, _APP14, _COMMENT = 0xDA, 0xD9, 0xE0, 0xE1, 0xEE, 0xFE
# Application data and comments, which do not affect the pixels.
_IGNORED = frozenset(range(0xE0, 0xF0)) - {_APP0, _APP14} | {_COMMENT}
# FF begins a marker, unless a stuffed 00 or fill (FF) follows. TEM (01) and restarts (D0 to D7) begin no segment.
_NEXT_MARKER = re.compile(rb"\xff[^\x00\x01\xd0-\xd7\xff]", re.DOTALL)
# Matches from the first FF of a run only: starting at every FF would take quadratic time.
_RESTART = re.compile(rb"(?<!\xff)\xff+([\xd0-\xd7])")
_RESTARTS = bytes(range(0xD0, 0xD8))

_EXIF = b"Exif\0\0"
_JFIF, _JFIF_MAJOR = b"JFIF\0", b"\1"
# libjpeg treats every colour transform except 0 as the one listed here for the number of components. The transform is
# at offset 11.
_ADOBE, _ADOBE_TRANSFORM, _ADOBE_TRANSFORMS = b"Adobe", 11, {3: b"\1", 4: b"\2"}
# Table B.3: the last parameters of a scan in a sequential picture.
_WHOLE_SPECTRUM = bytes((0, 63, 0))
_COEFFICIENTS, _NOTHING_SENT = 64, -1
_END_OF_IMAGE = bytes((0xFF, _END))

# Webcams and cameras pad the data before markers. The warning says nothing about the data after the padding.
_PADDED = re.compile(r"Corrupt JPEG data: \d+ extraneous bytes before marker 0x[0-9a-f]{2}")
# Some programs subsample CMYK in a way that OpenCV decodes and simplejpeg does not.
_UNUSUAL = "Could not determine subsampling level"


class _More(NamedTuple):
    """Bytes to insert after the data: before each restart marker, and at the end of a scan."""

    restart: bytes
    end: bytes


def _more(step: int, start: int, restarts: bytes) -> _More:
    # The bytes are never FF, and differ from the zeros that decoders insert.
    data = bytes((step * byte + start) % 255 for byte in range(64))
    return _More(data[:16], b"".join(data + bytes((0xFF, marker)) for marker in restarts))


# If a restart marker is missing at the end of a scan, a decoder accepts either of the next two markers as the end of
# the gap. The two variants begin with different markers, so that an accepted marker cannot come first in both.
_MORE_DATA = (_more(37, 0x55, _RESTARTS), _more(91, 0xAA, _RESTARTS[4:] + _RESTARTS[:4]))


class JpegFile(NamedTuple):
    """A file with complete segments; its sides are in pixels, before the picture is turned upright.

    `data` has the segments that pixels depend on, without harmless flaws. `scans` has the start and the end of each
    scan's data within `data`.
    """

    width: int
    height: int
    orientation: int
    scans: tuple[tuple[int, int], ...]
    data: bytes

    def pixels(self) -> Image:
        """Return the picture: height x width x 3, RGB, upright.

        Raises
        ------
        ServiceError
            1004 if data are missing or damaged.
        """
        try:
            image: Image | None = simplejpeg.decode_jpeg(self.data, "RGB")
        except ValueError as error:
            if _PADDED.fullmatch(str(error)):
                image = self._whole_pixels(_decode_with_libjpeg)
            elif _UNUSUAL in str(error):
                image = self._whole_pixels(_decode_with_opencv)
            else:
                raise errors.broken_picture() from None
        if image is None or image.shape != (self.height, self.width, 3):
            raise errors.broken_picture()
        return exif.upright(image, self.orientation)

    def _whole_pixels(self, decode: Callable[[bytes], Image | None]) -> Image | None:
        """Return the picture, not turned, from a decoder that fills gaps silently; None if there are gaps.

        The file is decoded again with different bytes inserted after the data. The decoder fills a gap with these
        bytes, so the pixels change if data are missing.
        """
        if not all(self._restarts_in_turn(start, end) for start, end in self.scans):
            return None
        image = decode(self.data)
        for more in _MORE_DATA:
            other = decode(self._with(more))
            if image is None or other is None or not np.array_equal(image, other):
                return None
        return image

    def _restarts_in_turn(self, start: int, end: int) -> bool:
        found = b"".join(_RESTART.findall(self.data, start, end))
        return found == (_RESTARTS * (len(found) // len(_RESTARTS) + 1))[: len(found)]

    def _with(self, more: _More) -> bytes:
        parts: list[bytes] = []
        position = 0
        for start, end in self.scans:
            data = _RESTART.sub(lambda marker: more.restart + marker[0], self.data[start:end])
            parts += self.data[position:start], data, more.end
            position = end
        return b"".join((*parts, self.data[position:]))


def parse(data: bytes) -> JpegFile:
    """Read the segments and scans of a file up to its end-of-image marker, without decoding pixels.

    Raises
    ------
    ServiceError
        1004 if the file ends early, lacks a scan, or has more than `MAX_SCANS` scans or `MAX_SEGMENTS` segments. Also
        if it is not sequential or progressive, with Huffman coding and 8 bits per sample.
    """
    if not data.startswith(SIGNATURE):
        raise errors.broken_picture()
    segments = list(_segments(data))
    frame = _Frame(segments)
    exifs = (segment.parameters for segment in segments if segment.kind == _APP1)
    orientations = (exif.orientation(tiff.removeprefix(_EXIF)) for tiff in exifs if tiff.startswith(_EXIF))
    needed, scans = bytearray(SIGNATURE[:2]), []
    for kind, parameters, coded in segments:
        if kind not in _IGNORED:
            kept = _without_flaws(kind, parameters, frame)
            needed += struct.pack(">BBH", 0xFF, kind, len(kept) + 2) + kept
            if kind == _SCAN:
                scans.append((len(needed), len(needed) + len(coded)))
            needed += coded
    needed += _END_OF_IMAGE
    return JpegFile(frame.width, frame.height, next(orientations, 1), tuple(scans), bytes(needed))


class _Segment(NamedTuple):
    """A marker, its parameters and, for a scan, the coded data that follow."""

    kind: int
    parameters: bytes
    coded: bytes


class _Frame:
    """The header of the file's only frame; checks that the scans send every bit of every coefficient."""

    def __init__(self, segments: Sequence[_Segment]) -> None:
        frames = [segment for segment in segments if segment.kind in _FRAMES]
        if not frames:
            raise errors.broken_picture()
        self.kind, parameters = frames[0].kind, frames[0].parameters
        if self.kind not in _SEQUENTIAL | _PROGRESSIVE:
            coding = "arithmetic" if self.kind in _ARITHMETIC else "lossless or hierarchical"
            raise errors.file_error(f"the JPEG has {coding} coding; it must be baseline or progressive")
        if len(frames) > 1 or len(parameters) < 6 or len(parameters) != 6 + 3 * parameters[5]:
            raise errors.broken_picture()
        bits, self.height, self.width, self.components = struct.unpack_from(">BHHB", parameters)
        if bits != _SAMPLE_BITS:
            raise errors.file_error(f"the JPEG has {bits} bits per sample; it must have {_SAMPLE_BITS}")
        if self.components not in (1, 3, 4):
            raise errors.broken_picture()
        self._bits_left = {component: [_NOTHING_SENT] * _COEFFICIENTS for component in parameters[6::3]}
        for segment in segments:
            if segment.kind == _SCAN:
                self._add_scan(segment.parameters)
        if any(any(bits_left) for bits_left in self._bits_left.values()):
            raise errors.broken_picture()

    def _add_scan(self, parameters: bytes) -> None:
        if not parameters or len(parameters) != 4 + 2 * parameters[0]:
            raise errors.broken_picture()
        first, last, bits = _WHOLE_SPECTRUM if self.kind in _SEQUENTIAL else parameters[-3:]
        before, after = bits >> 4, bits & 0x0F
        for component in parameters[1:-3:2]:
            if component not in self._bits_left or not first <= last < _COEFFICIENTS:
                raise errors.broken_picture()
            bits_left = self._bits_left[component]
            # libjpeg requires this too. Otherwise a file could have more passes than its coefficients have bits.
            if any(max(left, 0) != before for left in bits_left[first : last + 1]):
                raise errors.broken_picture()
            bits_left[first : last + 1] = [after] * (last + 1 - first)


def _segments(data: bytes) -> Iterator[_Segment]:
    """Yield each segment before the end-of-image marker."""
    marker, segments, scans = _next_marker(data, 2, b""), 0, 0
    while (kind := data[marker + 1]) != _END:
        segments, scans = segments + 1, scans + (kind == _SCAN)
        if segments > MAX_SEGMENTS or scans > MAX_SCANS:
            raise errors.file_error(f"a JPEG may have at most {MAX_SEGMENTS} segments and {MAX_SCANS} scans")
        start = marker + 4
        if start > len(data):
            raise errors.broken_picture()
        end = marker + 2 + struct.unpack_from(">H", data, marker + 2)[0]
        if end < start:
            raise errors.broken_picture()
        parameters = data[start:end]
        marker = _next_marker(data, end, None if kind == _SCAN else parameters)
        yield _Segment(kind, parameters, data[end:marker].rstrip(b"\xff") if kind == _SCAN else b"")


def _next_marker(data: bytes, position: int, behind: bytes | None) -> int:
    """Return the position of the next segment; only padding may come before it.

    `behind` is the parameters of the segment before, or None after a scan, where coded data come before the marker.

    Padding is FF (ITU T.81, B.1.1.2) or the zeros that some webcams write. Two bytes are not padding if the segment
    before contains an end-of-image marker: one inserted into a truncated segment pushes its last two bytes out.
    """
    found = _NEXT_MARKER.search(data, position)
    if found is None:
        raise errors.broken_picture()
    padding = data[position : found.start()]
    pushed_out = behind is not None and len(padding) == len(_END_OF_IMAGE) and _END_OF_IMAGE in behind
    if behind is not None and (pushed_out or padding.strip(b"\0\xff")):
        raise errors.broken_picture()
    return found.start()


def _without_flaws(kind: int, parameters: bytes, frame: _Frame) -> bytes:
    """Return a segment's parameters without flaws that libjpeg warns about but that change no pixel."""
    if kind == _APP0 and parameters.startswith(_JFIF):
        return _JFIF + _JFIF_MAJOR + parameters[6:]
    if kind == _APP14 and parameters.startswith(_ADOBE) and parameters[_ADOBE_TRANSFORM : _ADOBE_TRANSFORM + 1] > b"\0":
        usual = _ADOBE_TRANSFORMS.get(frame.components, b"\0")
        return parameters[:_ADOBE_TRANSFORM] + usual + parameters[_ADOBE_TRANSFORM + 1 :]
    if kind == _SCAN and frame.kind in _SEQUENTIAL:  # Samsung's phones write other values
        return parameters[:-3] + _WHOLE_SPECTRUM
    return parameters


def _decode_with_libjpeg(data: bytes) -> Image | None:
    try:
        image: Image = simplejpeg.decode_jpeg(data, "RGB", strict=False)
    except ValueError:
        return None
    return image


def _decode_with_opencv(data: bytes) -> Image | None:
    try:
        # OpenCV's stubs declare no dtype.
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION)  # type: ignore[return-value]
    except cv2.error:
        return None
