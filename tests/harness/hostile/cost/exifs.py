"""EXIF data of up to 2 MiB: directories of many entries, and directories that overlap themselves."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from chalicelib.settings import CONTRACT_IMAGE_BYTES
from tests.harness.hostile.cost.costly import Costly, filled

ENTRY = {"<": b"\x10\1\3\0\1\0\0\0\0\0\0\0", ">": b"\1\x10\0\3\0\0\0\1\0\0\0\0"}


def exifs() -> Iterator[Costly]:
    for order, mark in (("<", b"II*\0"), (">", b"MM\0*")):
        for place in (0, 4, 8, CONTRACT_IMAGE_BYTES - 1, 2**32 - 1):
            head = mark + struct.pack(order + "IH", place, 65_535)
            yield Costly(f"directory at {place}, {order}", filled(head, ENTRY[order], b""))
            yield Costly(f"zeros, directory at {place}, {order}", filled(head, b"\0", b""))
        for kind in range(14):
            for count in (0, 1, 2**16, 2**32 - 1):
                entry = struct.pack(order + "HHII", 0x0112, kind, count, 8)
                data = filled(mark + struct.pack(order + "IH", 8, 65_535), entry, b"")
                yield Costly(f"orientations of type {kind}, {count} of them, {order}", data)
