"""A JPEG is refused only if a block of its pixels is lost, as judged by libjpeg's warnings."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image as Pillow

from chalicelib.errors import ServiceError
from chalicelib.images import decoding, jpeg
from tests.harness.hostile.pictures import giants
from tests.pictures import astronaut, cat, scaled

END = b"\xff\xd9"
RESTART = rb"\xff[\xd0-\xd7]"
CASES = Path(__file__).parents[3] / "shared" / "cases"
CODINGS: dict[str, dict[str, object]] = {
    "baseline": {},
    "optimised": {"optimize": True},
    "restarts": {"restart_marker_blocks": 3},
    "restarts by row": {"restart_marker_rows": 1},
    "progressive": {"progressive": True},
    "progressive, restarts": {"progressive": True, "restart_marker_blocks": 5},
}
MODES = (("RGB", 0), ("RGB", 2), ("L", 0), ("CMYK", 0), ("CMYK", 2))


def _corpus(side: int) -> dict[str, bytes]:
    """Return photographs in every accepted coding, by name."""
    files = {}
    for name, options in CODINGS.items():
        for mode, sampling in MODES:
            photo = scaled(astronaut() if mode == "RGB" else cat(), side, side)
            buffer = io.BytesIO()
            Pillow.fromarray(photo).convert(mode).save(buffer, "JPEG", quality=85, subsampling=sampling, **options)
            files[f"{name}, {mode}, {sampling}"] = buffer.getvalue()
    return files


def _data(file: bytes) -> int:
    """Return the offset of the first scan's data."""
    scan = file.index(b"\xff\xda")
    return scan + 2 + int.from_bytes(file[scan + 2 : scan + 4])


def _in_data(file: bytes, pattern: bytes, change: Callable[[re.Match[bytes]], bytes], count: int = 0) -> bytes:
    start = _data(file)
    return file[:start] + re.sub(pattern, change, file[start:], count=count, flags=re.DOTALL)


def _between_segments(file: bytes, padding: bytes) -> bytes:
    parts, position = [], 2 + 2 + int.from_bytes(file[4:6])
    parts.append(file[:position])
    while file[position + 1] != 0xDA:
        end = position + 2 + int.from_bytes(file[position + 2 : position + 4])
        parts += padding, file[position:end]
        position = end
    return b"".join((*parts, padding, file[position:]))


INTERVAL = rb".*?(?=\xff[\xd0-\xd7\xc4\xd9])"

# Flaws that webcams and cameras write, and forms that ITU T.81 allows.
HARMLESS: dict[str, Callable[[bytes], bytes]] = {
    "fill before each marker in the data": lambda file: _in_data(file, b"\xff(?=[^\0])", lambda _: b"\xff\xff\xff"),
    "a byte before one restart": lambda file: _in_data(file, RESTART, lambda one: b"\x3f" + one[0], 1),
    "bytes before each restart": lambda file: _in_data(file, RESTART, lambda one: b"\x12\x34" + one[0]),
    "many bytes before each restart": lambda file: _in_data(file, RESTART, lambda one: b"\x12\x34" * 40 + one[0]),
    "a zero between segments": lambda file: _between_segments(file, b"\0"),
    "zeros between segments": lambda file: _between_segments(file, bytes(7)),
    "fill between segments": lambda file: _between_segments(file, b"\xff\xff"),
    "bytes before each scan's end": lambda file: _in_data(file, b"\xff[\xc4\xd9]", lambda one: b"\x12\x34" + one[0]),
    "a newer JFIF": lambda file: file.replace(b"JFIF\0\1", b"JFIF\0\3"),
    "a comment's length of bytes behind the end": lambda file: file + b"\x12" * 100,
}


@pytest.mark.parametrize("flaw", HARMLESS)
def test_a_jpeg_with_all_blocks_decodes_as_it_does_without_its_flaw(flaw: str) -> None:
    changed, warned = 0, 0
    for name, file in _corpus(72).items():
        flawed = HARMLESS[flaw](file)
        changed += flawed != file
        warned += not _libjpeg_is_content(flawed)
        assert np.array_equal(decoding.decode(flawed), decoding.decode(file)), name

    assert changed
    assert warned or "fill" in flaw or "behind the end" in flaw


LOSSES: dict[str, Callable[[bytes], bytes]] = {
    "the end": lambda file: file[: (_data(file) + len(file)) // 2] + END,
    "an interval": lambda file: _in_data(file, RESTART + INTERVAL, lambda _: b"", 1),
    "eight intervals": lambda file: _in_data(file, b"(?:" + RESTART + INTERVAL + b"){8}", lambda _: b"", 1),
    "an interval's data": lambda file: _in_data(file, b"(" + RESTART + b")" + INTERVAL, lambda one: one[1], 1),
    "a restart": lambda file: _in_data(file, RESTART, lambda _: b"", 1),
}


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("flaw", HARMLESS)
def test_a_harmless_flaw_does_not_hide_a_lost_block(flaw: str, loss: str) -> None:
    lost = 0
    for name, file in _corpus(72).items():
        if _libjpeg_is_content(LOSSES[loss](file)):
            continue
        lost += 1
        assert _is_refused(LOSSES[loss](HARMLESS[flaw](file))), name

    assert lost


@pytest.mark.parametrize("transform", [0, 1, 2, 7, 255])
def test_an_unknown_colour_transform_is_read_as_libjpeg_reads_it(transform: int) -> None:
    for mode in ("CMYK", "RGB"):
        buffer = io.BytesIO()
        Pillow.fromarray(scaled(cat(), 64, 64)).convert(mode).save(buffer, "JPEG", subsampling=0)
        file = re.sub(b"\xff\xe0.{16}", b"", buffer.getvalue(), flags=re.DOTALL)
        start = re.sub(b"\xff\xee.{14}", b"", file, flags=re.DOTALL)
        flawed = start[:2] + b"\xff\xee\0\x0eAdobe\0d\0\0\0\0" + bytes((transform,)) + start[2:]

        other = cv2.imdecode(np.frombuffer(flawed, np.uint8), cv2.IMREAD_COLOR_RGB)
        assert other is not None
        assert np.abs(decoding.decode(flawed).astype(int) - other).mean() < 1


@pytest.mark.parametrize("coding", CODINGS)
def test_truncation_is_refused_in_every_accepted_coding(coding: str) -> None:
    for name, file in _corpus(48).items():
        if not name.startswith(f"{coding}, "):
            continue
        whole = decoding.decode(file)
        assert [length for length in range(3, len(file) - 1) if not _is_refused(file[:length])] == [], name
        for length in range(_data(file), len(file) - 2):
            patched = file[:length] + END
            # With unusual sampling, missing bits can leave every pixel unchanged and so go unnoticed.
            assert _is_refused(patched) or ("CMYK, 2" in name and np.array_equal(decoding.decode(patched), whole)), (
                f"{name}: {length} of {len(file)} bytes"
            )


@pytest.mark.parametrize("marker", [0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF])
def test_a_coding_that_viewers_cannot_show_or_that_hides_truncation_is_refused(marker: int) -> None:
    file = _corpus(48)["baseline, RGB, 0"].replace(b"\xff\xc0", bytes((0xFF, marker)))

    with pytest.raises(ServiceError) as caught:
        decoding.decode(file)

    coding = "arithmetic" if marker > 0xC8 else "lossless or hierarchical"
    assert (caught.value.code, caught.value.status) == ("1004", 400)
    assert caught.value.detail == f"the JPEG has {coding} coding; it must be baseline or progressive"


def test_samples_of_other_than_8_bits_are_refused() -> None:
    file = _corpus(48)["baseline, RGB, 0"].replace(b"\xff\xc0\0\x11\x08", b"\xff\xc1\0\x11\x0c")

    with pytest.raises(ServiceError, match="the JPEG has 12 bits per sample; it must have 8"):
        decoding.decode(file)


@pytest.mark.parametrize("padding", [b"\x12", b"\0\x12", b"\xff\0\x12"])
def test_bytes_other_than_padding_between_segments_are_refused(padding: bytes) -> None:
    """One of the two segments then has a wrong length field and may be a table."""
    with pytest.raises(ServiceError, match="broken or cut off"):
        decoding.decode(_between_segments(_corpus(48)["baseline, RGB, 0"], padding))


def test_segments_up_to_the_limit_are_accepted() -> None:
    file = _corpus(48)["baseline, L, 0"]
    own = sum(1 for _ in re.finditer(rb"\xff[\xc0-\xc4\xda-\xdd\xe0]", file[: _data(file)]))
    comment = b"\xff\xfe\0\2"

    assert decoding.decode(file[:2] + comment * (jpeg.MAX_SEGMENTS - own) + file[2:]).shape == (48, 48, 3)
    with pytest.raises(ServiceError, match="a JPEG may have at most 4096 segments and 64 scans"):
        decoding.decode(file[:2] + comment * (jpeg.MAX_SEGMENTS - own + 1) + file[2:])


def test_scans_beyond_the_limit_are_refused_although_each_is_valid() -> None:
    with pytest.raises(ServiceError, match="a JPEG may have at most 4096 segments and 64 scans"):
        decoding.decode(giants.too_many_scans().file)


@pytest.mark.skipif(not CASES.is_dir(), reason="the files from clients are not on this machine")
@pytest.mark.parametrize(
    "name", ["byte_before_restart_marker", "bytes_before_many_restart_markers", "padding_before_dht"]
)
def test_files_from_webcams_are_accepted(name: str) -> None:
    file = (CASES / f"jpeg_{name}.jpg").read_bytes()

    assert not _libjpeg_is_content(file)
    other = cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert other is not None
    assert np.array_equal(decoding.decode(file), other)


def _is_refused(file: bytes) -> bool:
    try:
        decoding.decode(file)
    except ServiceError:
        return True
    return False


def _libjpeg_is_content(file: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(file, "RGB")
    except ValueError as error:
        return "subsampling" in str(error)
    return True
