"""No archive costs more time or memory than its size allows, whatever is repeated in it."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from chalicelib import transfers
from chalicelib.transfer.errors import ArchiveError
from chalicelib.wiring import Wiring
from infra.archive_file import Folder, open_archive
from tests.integration.transfer.conftest import Sites
from tests.integration.transfer.damage import Files
from tests.integration.transfer.hostile import HOSTILE, MEGABYTE, Archive, size_of

# An honest archive takes some 0.03 s a megabyte to check. What was seen here took minutes.
MAX_SECONDS, MAX_SECONDS_A_MEGABYTE = 1.0, 2.0
# JSON of empty lists takes 22 times its size. One part is held as it is, and so are its faces.
MAX_BYTES, MAX_BYTES_A_BYTE = 16 * MEGABYTE, 30


@pytest.fixture
def files(site: Sites, folder: Folder, small_parts: None) -> Files:
    process = site("source")
    process.add(range(3))
    transfers.export_to(process.parts, folder)
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_a_hostile_archive_is_refused_in_time(site: Sites, files: Files, tmp_path: Path, name: str) -> None:
    target = site("target").parts
    archive = HOSTILE[name](files)
    megabytes = size_of(archive) / MEGABYTE
    with pytest.raises(ArchiveError):  # what is loaded by the first import is not the archive's
        take(target, files | {"faces-00002.jsonl.gz": b""}, tmp_path)

    started = time.process_time()
    with pytest.raises(ArchiveError):
        take(target, archive, tmp_path)
    seconds = time.process_time() - started
    tracemalloc.start()
    with pytest.raises(ArchiveError):
        take(target, archive, tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    print(f"{name}: {megabytes:.2f} MB, {seconds:.2f} s, {peak / MEGABYTE:.0f} MB of memory")  # noqa: T201
    assert seconds < MAX_SECONDS + MAX_SECONDS_A_MEGABYTE * megabytes
    assert peak < MAX_BYTES + MAX_BYTES_A_BYTE * megabytes * MEGABYTE
    assert target.face_set.count() == 0


def take(parts: Wiring, archive: Archive, folder: Path) -> None:
    if isinstance(archive, bytes):
        (folder / "hostile.zip").write_bytes(archive)
        transfers.import_from(parts, open_archive(folder / "hostile.zip"))
        return
    hostile = Folder(folder / "hostile")
    for name, data in archive.items():
        hostile.write(name, data)
    transfers.import_from(parts, hostile)
