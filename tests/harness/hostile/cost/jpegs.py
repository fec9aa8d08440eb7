"""JPEG files of up to 2 MiB that repeat each kind of structure: segments, scans, tables, restarts, fill, stuffing."""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache

from PIL import Image as Pillow

from chalicelib.images.jpeg import MAX_SCANS, MAX_SEGMENTS
from chalicelib.settings import CONTRACT_IMAGE_BYTES, CONTRACT_SIDE_PX
from tests.harness.hostile.cost.costly import LARGEST_PIXELS, Costly, filled

SIDE = CONTRACT_SIDE_PX
START, END = b"\xff\xd8", b"\xff\xd9"
SCAN = b"\xff\xda"
# Below this marker, ITU T.81 reserves all markers except TEM.
FIRST_KNOWN = 0xBF
# Contents for some kinds of segments; the other kinds contain zeros.
CONTENTS = {
    0xC4: b"\0" + bytes(15) + b"\1" + b"\0",
    0xDB: b"\0" + b"\1" * 64,
    0xDD: b"\0\1",
    0xE0: b"JFIF\0\2\1\0\0\1\0\1\0\0",
    0xE1: b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\4\0\1\0\0\0\6\0\0\0",
    0xE2: b"ICC_PROFILE\0\1\1",
    0xEE: b"Adobe\0d\0\0\0\0\7",
}


def jpegs() -> Iterator[Costly]:
    yield from segments()
    yield from gaps()
    yield from scans()
    yield from restarts()


def segments() -> Iterator[Costly]:
    """Every marker, as often as fits, and as often as is accepted while using all bytes."""
    file = _small()
    few = MAX_SEGMENTS - 40
    for kind in range(1, 0xFF):
        content = CONTENTS.get(kind, b"")
        yield Costly(f"marker {kind:02x}, most", filled(START, _segment(kind, content), file[2:]))
        yield Costly(f"marker {kind:02x}, alone", filled(START, bytes((0xFF, kind)), file[2:]))
        if kind >= FIRST_KNOWN:
            long = content.ljust(CONTRACT_IMAGE_BYTES // MAX_SEGMENTS - 50, b"\0")
            for name, each in {"most accepted": content, "largest accepted": long}.items():
                yield Costly(f"marker {kind:02x}, {name}", START + _segment(kind, each) * few + file[2:], 64 * 64)
    tables = b"".join(bytes((place,)) + CONTENTS[0xC4][1:] for place in (0, 1, 16, 17)) * 900
    yield Costly("tables in a segment", filled(START, _segment(0xC4, tables[:65_000]), file[2:]), 64 * 64)


def gaps() -> Iterator[Costly]:
    """Fill, padding and stuffing between segments, in the data, and at the end."""
    file = _small()
    data = file.index(SCAN) + 14
    for name, repeated in {
        "fill": b"\xff",
        "zeros": b"\0",
        "stuffing": b"\xff\0",
        "fill and zero": b"\xff\xff\0",
        "restarts": b"\xff\xd0",
        "restarts in turn": b"".join(bytes((0xFF, marker)) for marker in range(0xD0, 0xD8)),
        "restarts after fill": b"\xff\xff\xff\xd0",
        "ones": b"\x7f",
    }.items():
        yield Costly(f"{name} behind the start", filled(START, repeated, file[2:]), 64 * 64)
        yield Costly(f"{name} behind the start, then stuffing", filled(START, repeated, b"\0" + file[2:]), 64 * 64)
        yield Costly(f"{name} before the data", filled(file[:data], repeated, file[data:]), 64 * 64)
        yield Costly(f"{name} before the end", filled(file[:-2], repeated, END), 64 * 64)
        yield Costly(f"{name} instead of an end", filled(file[:-2], repeated, b""))
        yield Costly(f"{name} behind the end", filled(file, repeated, b""), 64 * 64)
        yield Costly(f"{name}, largest picture", filled(_claiming(file, SIDE)[:-2], repeated, END), LARGEST_PIXELS)


def scans() -> Iterator[Costly]:
    """As many scans as are accepted, each over all coefficients, and endless scans."""
    file = _small()
    scan = file[file.index(SCAN) :][:-2]
    yield Costly("scans of a sequential file", filled(file[:-2], scan, END))
    yield Costly("empty scans", filled(file[:-2], scan[:14], END))
    for mode, sampling in (("L", 0), ("CMYK", 2)):
        components = range(len(Pillow.new(mode, (1, 1)).getbands()))
        number = MAX_SCANS - len(components)
        one_by_one = [(0, place, place, 0) for place in range(1, number)]
        one_by_one += [(component, number if component == 0 else 1, 63, 0) for component in components]
        bits = (13, *(higher << 4 | higher - 1 for higher in range(13, 0, -1)))
        bit_by_bit = [(component, 1, 63, each) for component in components for each in bits]
        for padding in (b"", b"\x12"):
            for name, each in {"one by one": one_by_one, "bit by bit": bit_by_bit}.items():
                data = _progressive(mode, sampling, each, padding)
                yield Costly(f"scans {name}, {mode} {sampling} {padding.hex()}", data, LARGEST_PIXELS)


def restarts() -> Iterator[Costly]:
    """A restart after each block of the largest picture, with and without bytes before it, in order or not."""
    for mode, sampling, blocks, progressive in (
        ("L", 0, 1, False),
        ("RGB", 2, 1, False),
        ("RGB", 2, 1, True),
        ("RGB", 0, 256, True),
        ("CMYK", 2, 1, False),
    ):
        file = _flat(mode, progressive=progressive, subsampling=sampling, restart_marker_blocks=blocks)
        first = file.index(SCAN)
        for padding in (b"\x12", b"\x12" * 8):
            padded = re.sub(b"(?=\xff[\xd0-\xd7])", padding, file[first:])
            name = f"restarts, {mode} {sampling} {blocks} {progressive} {padding.hex()}"
            yield Costly(name, (file[:first] + padded)[: CONTRACT_IMAGE_BYTES - 2] + END, LARGEST_PIXELS)


def _segment(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(content) + 2) + content


def _claiming(file: bytes, side: int) -> bytes:
    frame = file.index(b"\xff\xc0") + 5
    return file[:frame] + struct.pack(">HH", side, side) + file[frame + 4 :]


@lru_cache
def _small() -> bytes:
    buffer = io.BytesIO()
    Pillow.radial_gradient("L").resize((64, 64)).convert("RGB").save(buffer, "JPEG")
    return buffer.getvalue()


@lru_cache
def _flat(mode: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Pillow.new(mode, (SIDE, SIDE), 128 if mode == "L" else 0).save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _progressive(mode: str, sampling: int, scans: Sequence[tuple[int, int, int, int]], padding: bytes) -> bytes:
    """Return a flat picture with one scan for DC and the given scans: component, first and last coefficient, bits."""
    segments = re.split(b"(?=\xff[\xc4\xda])", _flat(mode, progressive=True, subsampling=sampling)[:-2])
    first = next(number for number, segment in enumerate(segments) if segment.startswith(SCAN))
    table, parts = b"", [*segments[:first]]
    header = 5 + segments[first][4] * 2
    parts += segments[first][:header], b"\0\0\0", segments[first][header + 3 :], padding
    found: dict[int, tuple[bytes, bytes]] = {}
    for segment in segments[first + 1 :]:
        if segment.startswith(SCAN) and segment[4] == 1 and segment[7]:
            found.setdefault(segment[5], (table + segment[:7], segment[10:]))
        table = segment
    for component, *coefficients in scans:
        start, data = list(found.values())[component]
        parts += start, bytes(coefficients), data, padding
    return b"".join((*parts, END))
