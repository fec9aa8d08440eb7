"""Files within the limits that are most expensive to decode."""

from __future__ import annotations

import io
import itertools
import re
import struct
import zlib
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image as Pillow

from chalicelib.faces import Image
from chalicelib.images.jpeg import MAX_SCANS
from chalicelib.settings import CONTRACT_SIDE_PX
from tests.harness.hostile.pictures import png_writer
from tests.harness.hostile.pictures.case import Case, refused, whole

SIDE = CONTRACT_SIDE_PX


def four_progressive_components() -> Case:
    """Four times as many coefficients as pixels, kept until the last scan."""
    return whole("giant, four progressive components", _jpeg("CMYK", progressive=True), _flat(255), 1)


def unusual_sampling() -> Case:
    """The same picture, with a sampling that must be decoded several times."""
    file = _jpeg("CMYK", progressive=True, subsampling=2)
    return whole("giant, unusual sampling", file, _flat(255), 1)


def orientation_that_turns() -> Case:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return whole("giant, turned", _jpeg("RGB", progressive=True, exif=exif.tobytes()), _flat(0), 1)


def most_scans() -> Case:
    """As many scans as are accepted: one for DC, then one for each coefficient, with zeros only."""
    return whole("giant, most scans", _grey_in_scans([(place, 0) for place in range(1, MAX_SCANS)]), _flat(128), 1)


def too_many_scans() -> Case:
    """Each coefficient bit by bit: as many scans as a well-formed file may have, in a few kilobytes."""
    bits = [13, *(higher << 4 | higher - 1 for higher in range(13, 0, -1))]
    scans = [(place, levels) for levels in bits for place in range(1, 64)]
    return refused("giant, too many scans", _grey_in_scans(scans))


def sixteen_bits_interlaced() -> Case:
    """Eight bytes for each pixel, which interlacing makes a decoder keep all at once."""
    data = zlib.compress(bytes(SIDE * (8 * SIDE + 8)), 1)
    header = png_writer.header(SIDE, SIDE, 16, png_writer.RGB_ALPHA, 1)
    return whole("giant, 16 bits, interlaced", png_writer.file(header, png_writer.chunk(b"IDAT", data)), _flat(0), 0)


def animation() -> Case:
    """An animation with frames as large as the picture."""
    data = zlib.compress(bytes(SIDE * (4 * SIDE + 1)), 1)
    chunks = [
        png_writer.header(SIDE, SIDE, 8, png_writer.RGB_ALPHA),
        png_writer.chunk(b"acTL", struct.pack(">II", 2, 0)),
    ]
    for number, kind, first in ((0, b"IDAT", b""), (1, b"fdAT", struct.pack(">I", 2))):
        frame = struct.pack(">IIIIIHHBB", number, SIDE, SIDE, 0, 0, 1, 10, 0, 0)
        chunks += [png_writer.chunk(b"fcTL", frame), png_writer.chunk(kind, first + data)]
    return whole("giant, animation", png_writer.file(*chunks), _flat(0), 0)


GIANTS: tuple[Callable[[], Case], ...] = (
    four_progressive_components,
    unusual_sampling,
    orientation_that_turns,
    most_scans,
    too_many_scans,
    sixteen_bits_interlaced,
    animation,
)


def _jpeg(mode: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.new(mode, (SIDE, SIDE)).save(buffer, "JPEG", **{"subsampling": 0, **options})
    return buffer.getvalue()


def _flat(shade: int) -> Image:
    return np.broadcast_to(np.uint8(shade), (SIDE, SIDE, 3))


def _grey_in_scans(scans: Sequence[tuple[int, int]]) -> bytes:
    """Return a JPEG with a scan for DC, then scans of one coefficient each, given with their first and last bits."""
    buffer = io.BytesIO()
    Pillow.new("L", (SIDE, SIDE), 128).save(buffer, "JPEG", progressive=True)
    file = buffer.getvalue()
    first, second, third = (place.start() for place in itertools.islice(re.finditer(b"\xff\xda", file), 3))
    # A scan's parameters end with the first and last coefficient, and the number of remaining bits before and after it.
    dc = file[: first + 7] + bytes((0, 0, 0)) + file[first + 10 : second]
    data = file[second + 10 : file.find(b"\xff\xc4", second, third)]
    each = [file[second : second + 7] + bytes((place, place, levels)) + data for place, levels in scans]
    return dc + b"".join(each) + file[-2:]
