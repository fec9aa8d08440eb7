"""EXIF orientation, as the standard defines it and as programs write it."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from chalicelib.errors import ServiceError
from chalicelib.images import decoding, exif
from tests.pictures import astronaut

ORIENTATION = 0x0112
BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, SSHORT, SLONG = 1, 2, 3, 4, 5, 6, 8, 9
ORDERS = pytest.mark.parametrize("order", ["<", ">"])


def _tiff(order: str, kind: int, count: int, value: bytes, behind: bytes = b"") -> bytes:
    """Return a directory with another tag and the orientation. `value` is padded with zeros to four bytes."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    other = struct.pack(order + "HHIHH", 0x0110, SHORT, 1, 5, 0)
    entry = struct.pack(order + "HHI", ORIENTATION, kind, count) + value.ljust(4, b"\0")
    return mark + struct.pack(order + "IH", 8, 2) + other + entry + bytes(4) + behind


@ORDERS
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 256, 2**16, 2**32 - 1])
@pytest.mark.parametrize(
    ("kind", "form"), [(BYTE, "B"), (SHORT, "H"), (LONG, "I"), (SBYTE, "b"), (SSHORT, "h"), (SLONG, "i")]
)
def test_every_integer_type_and_count_is_read(order: str, kind: int, form: str, count: int) -> None:
    tiff = _tiff(order, kind, count, struct.pack(order + form, 6))

    assert exif.orientation(tiff) == 6


@ORDERS
@pytest.mark.parametrize(("kind", "form", "count"), [(SHORT, "H", 3), (LONG, "I", 2), (BYTE, "B", 5)])
def test_numbers_outside_the_entry_are_read_at_their_offset(order: str, kind: int, form: str, count: int) -> None:
    place = len(_tiff(order, kind, count, b""))
    tiff = _tiff(order, kind, count, struct.pack(order + "I", place), struct.pack(order + form, 8) * count)

    assert exif.orientation(tiff) == 8


@ORDERS
def test_a_short_labelled_as_a_long_is_read(order: str) -> None:
    assert exif.orientation(_tiff(order, LONG, 1, struct.pack(order + "H", 3))) == 3


@ORDERS
@pytest.mark.parametrize("value", [0, 9, 65_535])
@pytest.mark.parametrize("kind", [SHORT, LONG])
def test_invalid_orientations_give_none(order: str, kind: int, value: int) -> None:
    form = "H" if kind == SHORT else "I"

    assert exif.orientation(_tiff(order, kind, 1, struct.pack(order + form, value))) == 1


@ORDERS
@pytest.mark.parametrize("kind", [0, ASCII, RATIONAL, 7, 10, 11, 12, 13, 65_535])
def test_other_types_give_no_orientation(order: str, kind: int) -> None:
    assert exif.orientation(_tiff(order, kind, 1, struct.pack(order + "H", 6))) == 1


@ORDERS
def test_truncated_data_give_no_orientation_or_the_right_one(order: str) -> None:
    tiff = _tiff(order, LONG, 1, struct.pack(order + "I", 6))

    assert {exif.orientation(tiff[:length]) for length in range(len(tiff))} == {1, 6}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_orientation_stored_as_long_turns_a_picture_as_a_viewer_does(kind: str, orientation: int) -> None:
    buffer = io.BytesIO()
    tiff = _tiff("<", LONG, 1, struct.pack("<I", orientation))
    Pillow.fromarray(astronaut()[:400]).save(buffer, kind, exif=b"Exif\0\0" + tiff)
    with Pillow.open(buffer) as picture:
        upright = np.asarray(ImageOps.exif_transpose(picture))

    decoded = decoding.decode(buffer.getvalue())

    assert decoded.shape == upright.shape
    assert np.abs(decoded.astype(int) - upright).mean() < 1


def test_the_first_of_several_exif_chunks_counts() -> None:
    parts = [_tiff("<", SHORT, 1, struct.pack("<H", value)) for value in (6, 3)]
    buffer = io.BytesIO()
    Pillow.fromarray(astronaut()[:400]).save(buffer, "PNG", exif=parts[0])
    other = io.BytesIO()
    Pillow.fromarray(astronaut()[:400]).save(other, "PNG", exif=parts[1])
    start = other.getvalue().index(b"eXIf") - 4
    chunk = other.getvalue()[start : start + 12 + len(parts[1])]

    assert decoding.decode(buffer.getvalue()[:-12] + chunk + buffer.getvalue()[-12:]).shape == (512, 400, 3)


def test_exif_data_that_differ_from_their_checksum_are_refused() -> None:
    tiff = _tiff("<", SHORT, 1, struct.pack("<H", 6))
    buffer = io.BytesIO()
    Pillow.fromarray(astronaut()[:400]).save(buffer, "PNG", exif=tiff)
    file = bytearray(buffer.getvalue())
    file[file.index(b"eXIf") + 4 + tiff.index(b"\6")] = 3

    with pytest.raises(ServiceError, match="broken or cut off"):
        decoding.decode(bytes(file))
