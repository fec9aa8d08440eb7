"""Importing an archive costs no more time and memory than its size allows, whatever is repeated in it."""

from __future__ import annotations

import time
import tracemalloc
from pathlib import Path

import pytest

from chalicelib.maintenance.transfer import commands
from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.wiring import Wiring
from infra.local.archive_file import Folder, open_archive
from tests.integration.transfer.conftest import Sites
from tests.integration.transfer.damage import PART, Files
from tests.integration.transfer.hostile import HOSTILE, MEGABYTE, Archive, size_of

# Checking an honest archive takes about 0.05 s per megabyte. Before there were limits, hostile ones took minutes.
MAX_SECONDS, MAX_SECONDS_A_MEGABYTE = 1.0, 4.0
# A manifest is read into a buffer of 32 MB, and JSON of empty lists takes 22 times its size in memory.
MAX_BYTES, MAX_BYTES_A_BYTE = 40 * MEGABYTE, 30


@pytest.fixture
def files(site: Sites, folder: Folder) -> Files:
    process = site("source")
    process.add(range(3))
    commands.export_to(process.parts, folder)
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


def test_every_hostile_archive_is_refused_in_time(site: Sites, files: Files, tmp_path: Path) -> None:
    target = site("target").parts
    refused(target, files | {PART: b""}, tmp_path)  # loads everything that any import loads
    largest = {}

    for name, make in HOSTILE.items():
        archive = make(files)
        megabytes = size_of(archive) / MEGABYTE
        started = time.process_time()
        refused(target, archive, tmp_path)
        seconds = time.process_time() - started
        tracemalloc.start()
        refused(target, archive, tmp_path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        if seconds > MAX_SECONDS + MAX_SECONDS_A_MEGABYTE * megabytes:
            largest[name] = f"{seconds:.1f} s for {megabytes:.2f} MB"
        if peak > MAX_BYTES + MAX_BYTES_A_BYTE * megabytes * MEGABYTE:
            largest[f"{name}, memory"] = f"{peak / MEGABYTE:.0f} MB for {megabytes:.2f} MB"
        print(f"{name}: {megabytes:.2f} MB, {seconds:.2f} s, {peak / MEGABYTE:.0f} MB of memory")  # noqa: T201

    assert largest == {}
    assert target.face_set.count() == 0


def refused(parts: Wiring, archive: Archive, folder: Path) -> None:
    with pytest.raises(ArchiveError):
        take(parts, archive, folder)


def take(parts: Wiring, archive: Archive, folder: Path) -> None:
    if isinstance(archive, bytes):
        (folder / "hostile.zip").write_bytes(archive)
        commands.import_from(parts, open_archive(folder / "hostile.zip"))
        return
    hostile = Folder(folder / "hostile")
    for name, data in archive.items():
        hostile.write(name, data)
    commands.import_from(parts, hostile)
