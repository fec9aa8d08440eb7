"""Decoding turns files into upright RGB images and accepts only files within the limits."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow
from PIL import ImageOps

from chalicelib.errors import ServiceError
from chalicelib.faces import Box, Image
from chalicelib.images import decoding
from chalicelib.images import png as png_file
from chalicelib.settings import CONTRACT_IMAGE_BYTES, current_settings
from tests.pictures import astronaut, jpeg, png, scaled

# The end-of-image marker.
END = b"\xff\xd9"


def _file(picture: Image | Pillow.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    pillow = picture if isinstance(picture, Pillow.Image) else Pillow.fromarray(picture)
    pillow.save(buffer, kind, **options)
    return buffer.getvalue()


def _difference(a: Image, b: Image) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, pixels: bytes) -> bytes:
    """An RGB PNG in which every field can be given a wrong value."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _rejected(data: bytes) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        decoding.decode(data)
    assert caught.value.code == "1004"
    return caught.value


def test_a_png_decodes_to_its_exact_rgb_pixels() -> None:
    assert np.array_equal(decoding.decode(_file(astronaut(), "PNG")), astronaut())


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"optimize": True}])
def test_every_kind_of_jpeg_is_decoded(options: dict[str, object]) -> None:
    assert _difference(decoding.decode(_file(astronaut(), "JPEG", quality=95, **options)), astronaut()) < 2.5


@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_a_jpeg_in_another_colour_space_becomes_rgb(mode: str, subsampling: int) -> None:
    other = Pillow.fromarray(astronaut()).convert(mode)

    picture = decoding.decode(_file(other, "JPEG", quality=95, subsampling=subsampling))

    assert _difference(picture, np.asarray(other.convert("RGB"))) < 4


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "1"])
def test_a_png_in_another_colour_type_becomes_rgb(mode: str) -> None:
    other = Pillow.fromarray(astronaut()).convert(mode)

    assert _difference(decoding.decode(_file(other, "PNG")), np.asarray(other.convert("RGB"))) < 0.5


def test_a_16_bit_png_becomes_8_bit() -> None:
    wide = cv2.cvtColor(astronaut(), cv2.COLOR_RGB2BGR).astype(np.uint16) * 257

    assert np.array_equal(decoding.decode(cv2.imencode(".png", wide)[1].tobytes()), astronaut())


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(kind: str, orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    file = _file(astronaut()[:400], kind, exif=exif.tobytes())
    upright = ImageOps.exif_transpose(Pillow.open(io.BytesIO(file)))

    assert _difference(decoding.decode(file), np.asarray(upright)) < 1


@pytest.mark.parametrize(
    "exif",
    [
        b"",
        b"II*\0",
        b"JJ*\0\x08\0\0\0",
        b"II*\0\xff\xff\xff\xff",
        b"II*\0\x08\0\0\0\xff\xff",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0",
        b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x09\0\0\0",
        b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x01\0\x06\0\0",
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_broken_exif_data_are_ignored(exif: bytes, kind: str) -> None:
    file = _file(astronaut(), kind, exif=b"Exif\0\0" + exif)

    assert np.array_equal(decoding.decode(file), decoding.decode(_file(astronaut(), kind)))


@pytest.mark.parametrize(("width", "height"), [(48, 48), (4096, 48), (48, 4096), (4096, 4096)])
def test_sides_within_the_limits_are_accepted(width: int, height: int) -> None:
    assert decoding.decode(_file(Pillow.new("RGB", (width, height)), "PNG")).shape == (height, width, 3)


@pytest.mark.parametrize(("width", "height"), [(47, 100), (100, 47), (4097, 100), (100, 4097), (1, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_sides_outside_the_limits_are_refused(width: int, height: int, kind: str) -> None:
    error = _rejected(_file(Pillow.new("RGB", (width, height)), kind))

    assert error.status == 400
    assert error.detail == f"the picture's sides must be 48 to 4096 px; it is {width} x {height}"


def test_a_small_file_cannot_make_the_decoder_allocate_gigabytes() -> None:
    error = _rejected(_png(2**31 - 1, 2**31 - 1, zlib.compress(bytes(1000))))

    assert "sides must be" in error.detail


def test_bytes_up_to_the_limit_are_accepted() -> None:
    file = jpeg(astronaut())
    # Bytes after the end-of-image marker are not part of the picture.
    assert decoding.decode(file + bytes(CONTRACT_IMAGE_BYTES - len(file))).shape == (512, 512, 3)


def test_more_bytes_than_the_limit_are_refused() -> None:
    error = _rejected(jpeg(astronaut()) + bytes(CONTRACT_IMAGE_BYTES))

    assert error.status == 413


@pytest.fixture
def larger_pictures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MAX_IMAGE_BYTES", "4400000")
    monkeypatch.setenv("MAX_IMAGE_SIDE_PX", "8192")
    current_settings.cache_clear()
    yield
    current_settings.cache_clear()


@pytest.mark.usefixtures("larger_pictures")
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_limits_can_be_raised(kind: str) -> None:
    whole = _file(Pillow.new("RGB", (8192, 48)), kind).ljust(4_400_000, b"\0")

    assert decoding.decode(whole).shape == (48, 8192, 3)
    assert _rejected(whole + b"\0").detail == "the picture may have at most 4400000 bytes"
    too_wide = _rejected(_file(Pillow.new("RGB", (8193, 48)), kind))
    assert too_wide.detail == "the picture's sides must be 48 to 8192 px; it is 8193 x 48"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_error_names_each_limit_that_a_picture_breaks(kind: str) -> None:
    file = _file(Pillow.new("RGB", (8_000, 6_000)), kind)
    many = file + bytes(CONTRACT_IMAGE_BYTES)

    assert _rejected(file).detail == "the picture's sides must be 48 to 4096 px; it is 8000 x 6000"
    assert _rejected(many).status == 413
    assert _rejected(many).detail == (
        "the picture may have at most 2097152 bytes, and its sides must be 48 to 4096 px; "
        f"it has {len(many)} bytes and is 8000 x 6000"
    )


@pytest.mark.parametrize("file", [jpeg(astronaut()), jpeg(astronaut())[:-9], png(astronaut())[:-9], b"GIF89a", b""])
def test_the_error_omits_limits_that_are_unknown_or_kept(file: bytes) -> None:
    # The zeros are either padding after the end or damage.
    assert _rejected(file + bytes(CONTRACT_IMAGE_BYTES + 1)).detail == "the picture may have at most 2097152 bytes"


@pytest.mark.parametrize("data", [b"GIF89a", b"BM", b"RIFF0000WEBP", b"%PDF-1.7", b"PK\x03\x04", b"\xff\xd8", b"x"])
def test_another_file_type_is_refused(data: bytes) -> None:
    assert _rejected(data + bytes(100)).status == 415


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_a_jpeg_truncated_anywhere_is_refused(options: dict[str, object]) -> None:
    file = _file(astronaut(), "JPEG", quality=90, **options)

    for length in range(3, len(file) - 1, 1_001):
        assert _rejected(file[:length]).status == 400


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"subsampling": 2}])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_truncated_jpeg_with_an_added_end_marker_is_refused(mode: str, options: dict[str, object]) -> None:
    file = _file(Pillow.fromarray(scaled(astronaut(), 128, 128)).convert(mode), "JPEG", quality=90, **options)

    for length in range(3, len(file) - 4, 67):
        assert _rejected(file[:length] + END).status == 400
        if b"\xff\xda" in file[: length - 20]:
            assert _rejected(file[:length] + END + file[length:]).status == 400


def test_a_jpeg_with_padding_before_its_end_is_accepted() -> None:
    file = jpeg(astronaut())

    assert np.array_equal(decoding.decode(file[:-2] + bytes(30) + END), decoding.decode(file))


@pytest.mark.parametrize(
    ("right", "written"),
    [
        pytest.param(b"\x3f\0", b"\0\0", id="scan of one coefficient"),
        pytest.param(b"\x3f\0", b"\x3f\x10", id="scan of some bits"),
        pytest.param(b"JFIF\0\1", b"JFIF\0\2", id="newer JFIF"),
    ],
)
def test_harmless_errors_that_phones_write_are_accepted(right: bytes, written: bytes) -> None:
    file = jpeg(astronaut())
    place = file.index(right, 0 if right.startswith(b"JFIF") else file.index(b"\xff\xda"))
    flawed = file[:place] + written + file[place + len(right) :]

    assert np.array_equal(decoding.decode(flawed), decoding.decode(file))
    assert _rejected(flawed[: len(file) // 2] + END).status == 400


def test_a_progressive_jpeg_with_missing_scans_is_refused() -> None:
    file = _file(astronaut(), "JPEG", progressive=True)
    scans = [match.start() for match in re.finditer(b"\xff\xda", file)]

    assert len(scans) == 10
    for start in scans:
        assert _rejected(file[:start] + END).status == 400


def test_a_jpeg_with_a_missing_colour_component_is_refused() -> None:
    file = _file(Pillow.fromarray(astronaut()).convert("L"), "JPEG")
    grey, coloured = (
        b"\0\x0b\x08\x02\0\x02\0\x01\x01\x11\0",
        b"\0\x11\x08\x02\0\x02\0\x03\x01\x11\0\x02\x11\0\x03\x11\0",
    )

    assert grey in file
    assert _rejected(file.replace(grey, coloured)).status == 400


def test_an_animation_is_decoded_to_its_still_picture() -> None:
    frames = [Pillow.fromarray(picture) for picture in (astronaut(), astronaut()[::-1].copy())]
    for default_image in (True, False):
        file = _file(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=default_image)

        assert np.array_equal(decoding.decode(file), astronaut())


def test_a_png_is_decoded_without_its_gigabytes_of_compressed_text() -> None:
    file = png(astronaut())
    text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(50_000_000)))

    assert np.array_equal(decoding.decode(file[:33] + text * 30 + file[33:]), astronaut())
    # The decoder would keep the text in memory, so it never receives the text.
    assert png_file.parse(file[:33] + text + file[33:]).data == png_file.parse(file).data
    assert b"zTXt" not in png_file.parse(file[:33] + text + file[33:]).data


def test_a_png_with_an_unknown_critical_chunk_is_refused() -> None:
    file = png(astronaut())

    assert _rejected(file[:33] + _chunk(b"ABCD", b"") + file[33:]).status == 400
    assert decoding.decode(file[:33] + _chunk(b"abCd", b"") + file[33:]).shape == (512, 512, 3)


def test_a_png_truncated_anywhere_is_refused() -> None:
    file = png(scaled(astronaut(), 128, 128))

    for length in range(8, len(file), 101):
        assert _rejected(file[:length]).status == 400


def test_a_png_with_a_flipped_bit_is_refused() -> None:
    file = bytearray(png(scaled(astronaut(), 128, 128)))
    file[len(file) // 2] ^= 1

    assert _rejected(bytes(file)).status == 400


@pytest.mark.parametrize("pixels", [b"", b"not deflated", zlib.compress(bytes(301 * 50)), zlib.compress(bytes(100))])
def test_a_png_with_too_few_pixels_is_refused(pixels: bytes) -> None:
    assert _rejected(_png(100, 100, pixels)).status == 400


def test_a_crop_shows_the_face_with_its_margin() -> None:
    picture = astronaut()

    file, part, scale = decoding.crop(picture, Box(200, 100, 260, 180))

    assert part == Box(182, 76, 278, 204)
    assert scale == 1
    assert _difference(decoding.decode(file), picture[76:204, 182:278]) < 3


def test_a_crop_ends_at_the_border_of_the_picture() -> None:
    file, part, _ = decoding.crop(astronaut(), Box(0, 400, 100, 512))

    assert part == Box(0, 366, 130, 512)
    assert decoding.decode(file).shape == (146, 130, 3)


def test_a_large_crop_is_reduced() -> None:
    file, part, scale = decoding.crop(astronaut(), Box(100, 50, 400, 450))

    assert part == Box(10, 0, 490, 512)
    assert scale == 320 / 512
    assert decoding.decode(file).shape == (320, 300, 3)
