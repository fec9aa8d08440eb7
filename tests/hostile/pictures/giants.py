"""Files within the limits that cost a decoder the most."""

from __future__ import annotations

import io
import itertools
import re
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image as Pillow

from chalicelib.faces import Image
from chalicelib.images import MAX_SIDE_PX
from chalicelib.jpeg import MAX_SCANS
from tests.hostile.pictures import png_writer
from tests.hostile.pictures.case import Case, refused, whole

SIDE = MAX_SIDE_PX


def four_progressive_components() -> Case:
    """Four times as many coefficients as pixels, kept until the last scan."""
    return whole("giant, four progressive components", _jpeg("CMYK", progressive=True), _flat(255), 1)


def unusual_sampling() -> Case:
    """The same, sampled in a way that has to be decoded several times."""
    file = _jpeg("CMYK", progressive=True, subsampling=2)
    return whole("giant, unusual sampling", file, _flat(255), 1)


def orientation_that_turns() -> Case:
    exif = Pillow.Exif()
    exif[0x0112] = 6
    return whole("giant, turned", _jpeg("RGB", progressive=True, exif=exif.tobytes()), _flat(0), 1)


def most_scans() -> Case:
    """As many scans as are taken: after the DC's one for each other coefficient, which says that it is 0 everywhere."""
    buffer = io.BytesIO()
    Pillow.new("L", (SIDE, SIDE), 128).save(buffer, "JPEG", progressive=True)
    file = buffer.getvalue()
    first, second, third = (place.start() for place in itertools.islice(re.finditer(b"\xff\xda", file), 3))
    # A scan's last three bytes: first and last coefficient, and how many bits later scans bring: none.
    dc = file[: first + 7] + bytes((0, 0, 0)) + file[first + 10 : second]
    data = file[second + 10 : file.find(b"\xff\xc4", second, third)]
    scans = [file[second : second + 7] + bytes((place, place, 0)) + data for place in range(1, MAX_SCANS)]
    return whole("giant, most scans", dc + b"".join(scans) + file[-2:], _flat(128), 1)


def too_many_scans() -> Case:
    """As many scans as the file has room for."""
    file = _jpeg("RGB", progressive=True)
    last = file[file.rindex(b"\xff\xda") : -2]
    return refused("giant, too many scans", file[:-2] + last * 50_000 + file[-2:])


def sixteen_bits_interlaced() -> Case:
    """Eight bytes for each pixel, which interlacing makes a decoder keep all at once."""
    data = zlib.compress(bytes(SIDE * (8 * SIDE + 8)), 1)
    header = png_writer.header(SIDE, SIDE, 16, png_writer.RGB_ALPHA, 1)
    return whole("giant, 16 bits, interlaced", png_writer.file(header, png_writer.chunk(b"IDAT", data)), _flat(0), 0)


def animation() -> Case:
    """An animation whose every frame is as large as the picture."""
    frames = [Pillow.new("RGBA", (SIDE, SIDE), (shade, shade, shade, 255)) for shade in (0, 100)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "PNG", save_all=True, append_images=frames[1:], compress_level=1)
    return whole("giant, animation", buffer.getvalue(), _flat(0), 0)


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
