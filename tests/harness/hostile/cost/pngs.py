"""PNG files of up to 2 MiB that repeat each kind of structure: chunks of each type, data in pieces, bombs, EXIF."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from chalicelib.settings import CONTRACT_SIDE_PX
from tests.harness.hostile.cost.costly import LARGEST_PIXELS, Costly, filled
from tests.harness.hostile.pictures import png_writer
from tests.harness.hostile.pictures.png_writer import SIGNATURE, chunk, header

SIDE = CONTRACT_SIDE_PX
CRITICAL = (b"IHDR", b"PLTE", b"IDAT", b"IEND", b"ABCD")
ANCILLARY = (b"acTL", b"eXIf", b"fdAT", b"iCCP", b"iTXt", b"sPLT", b"tRNS", b"zTXt", b"abCd")
END = chunk(b"IEND", b"")
# An empty stored block that is not the last block.
EMPTY_BLOCK = b"\0\0\0\xff\xff"


def pngs() -> Iterator[Costly]:
    yield from chunks()
    yield from compressed_data()


def chunks() -> Iterator[Costly]:
    """Every type of chunk as often as fits, empty or not, before and after the data."""
    first = SIGNATURE + header(64, 64, 8, png_writer.RGB)
    data = chunk(b"IDAT", zlib.compress(bytes(64 * (3 * 64 + 1))))
    bomb = b"a\0\0" + zlib.compress(bytes(5_000_000))
    for kind in (*CRITICAL, *ANCILLARY):
        empty, large = chunk(kind, b""), chunk(kind, bomb)
        yield Costly(f"{kind.decode()} empty, before", filled(first, empty, data + END), 64 * 64)
        yield Costly(f"{kind.decode()} empty, behind", filled(first + data, empty, END), 64 * 64)
        yield Costly(f"{kind.decode()} large, before", filled(first, large, data + END), 64 * 64)
    for tiff in (_directory(b"II", 0x0110, 65_535), _directory(b"MM", 0x0112, 100)):
        yield Costly("eXIf chunks", filled(first, chunk(b"eXIf", tiff), data + END), 64 * 64)


def compressed_data() -> Iterator[Costly]:
    """The largest picture's data in the smallest pieces, more data than pixels, and empty blocks."""
    rows = zlib.compress(bytes(SIDE * (8 * SIDE + 8)), 9)
    bomb = chunk(b"IDAT", _compressed_zeros(50))
    for interlaced in (0, 1):
        largest = SIGNATURE + header(SIDE, SIDE, 16, png_writer.RGB_ALPHA, interlaced)
        whole = chunk(b"IDAT", rows)
        pieces = b"".join(chunk(b"IDAT", rows[place : place + 1]) for place in range(len(rows)))
        yield Costly(f"in one piece, {interlaced}", largest + whole + END, LARGEST_PIXELS)
        yield Costly(f"in pieces of a byte, {interlaced}", largest + pieces + END, LARGEST_PIXELS)
        yield Costly(f"more data behind, {interlaced}", filled(largest + whole, whole, END), LARGEST_PIXELS)
        yield Costly(f"more data than pixels, {interlaced}", largest + bomb + END, LARGEST_PIXELS)
        nothing = rows[:2] + EMPTY_BLOCK * 380_000
        yield Costly(
            f"blocks of nothing, {interlaced}", largest + chunk(b"IDAT", nothing + rows[2:]) + END, LARGEST_PIXELS
        )
    small = SIGNATURE + header(64, 64, 8, png_writer.RGB)
    yield Costly("more data than a small picture's pixels", small + bomb + END, 64 * 64)


def _compressed_zeros(times: int) -> bytes:
    """Return the zlib data of a number of parts, each of 10,000,000 zeros."""
    packer = zlib.compressobj(9, wbits=-15)
    part = packer.compress(bytes(10_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\x9c" + part * times + packer.flush()


def _directory(order: bytes, tag: int, entries: int) -> bytes:
    form = "<" if order == b"II" else ">"
    entry = struct.pack(form + "HHII", tag, 3, 1, 0)
    return order + struct.pack(form + "HIH", 42, 8, entries) + entry * entries
