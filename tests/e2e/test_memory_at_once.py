"""Many small files that decode to large pictures take no more memory at once than a few of them."""

from __future__ import annotations

import re
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.local.connections import MAX_WITH_BODY
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack

CLIENTS = 24
SIDE_PX = 4096
PICTURE_MB = SIDE_PX * SIDE_PX * 3 / 1e6
# The memory of the decoder, the form and Chalice's base64 copy of it.
MB_EACH = 2 * PICTURE_MB


def cut_off_png() -> bytes:
    """Return a PNG that lacks part of its last row, so it is decoded and refused before any network runs."""
    pixels = zlib.compress(bytes(SIDE_PX * (3 * SIDE_PX + 1) - 1000), 9)
    header = struct.pack(">IIBBBBB", SIDE_PX, SIDE_PX, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def highest_mb(pid: int) -> float:
    found = re.search(r"^VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_pictures_are_decoded_a_few_at_a_time(sqlite_stack: LocalStack) -> None:
    picture, pid = cut_off_png(), sqlite_stack.process.pid

    def send(_: int) -> int:
        return HttpApi(sqlite_stack.port).post("/detect", image_file=picture).status

    assert send(0) in (200, 400)
    before = highest_mb(pid)
    with ThreadPoolExecutor(CLIENTS) as executor:
        assert set(executor.map(send, range(CLIENTS))) <= {200, 400}

    assert highest_mb(pid) - before < MAX_WITH_BODY * MB_EACH
