"""Beside the local server, regular compaction removes a removed face's code from the packed segments."""

from __future__ import annotations

import os
import threading
from contextlib import closing

import numpy as np
import pytest

from chalicelib.maintenance import operations
from chalicelib.settings import Settings
from chalicelib.stores.database.base import Database
from chalicelib.wiring import Wiring
from infra.local.regular_compaction import compacted_regularly
from tests.integration.gallery_faces import Faces, clustered
from tests.services import free_port

MAX_WAIT_SECONDS = 60


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Count compactions, whether they fail or not."""
    ended, compact = threading.Semaphore(0), operations.compact

    def counted(parts: Wiring) -> str:
        try:
            return compact(parts)
        finally:
            ended.release()

    monkeypatch.setattr(operations, "compact", counted)
    return ended


def wait_for(runs: threading.Semaphore, count: int) -> None:
    for _ in range(count):
        assert runs.acquire(timeout=MAX_WAIT_SECONDS)


def parts(url: str) -> Wiring:
    return Wiring(Settings.from_environment({**os.environ, "DATABASE_URL": url, "GALLERY": "memory"}))


def packed_ids(database: Database) -> set[int]:
    rows = database.read("SELECT ids FROM face_set_segment")
    return {int(number) for (ids,) in rows for number in np.frombuffer(ids, "<i8")}


def test_compaction_repeats_and_ends_with_the_block(
    database: Database, database_url: str, runs: threading.Semaphore
) -> None:
    faces = Faces(database)
    known = faces.add(clustered(20))
    with closing(parts(database_url)) as wired:
        with compacted_regularly(wired, interval_seconds=0.01):
            assert len(packed_ids(database)) == 20
            faces.face_set.remove(known[7].token)
            wait_for(runs, 3)  # the first run, a run that may have begun before the removal, and a run after it

            assert len(packed_ids(database)) == 19
        while runs.acquire(blocking=False):
            pass
        assert not runs.acquire(timeout=0.1)


def test_an_unreachable_database_does_not_end_it(runs: threading.Semaphore) -> None:
    with (
        closing(parts(f"mysql://root@127.0.0.1:{free_port()}/nothing")) as wired,
        compacted_regularly(wired, interval_seconds=0.01),
    ):
        wait_for(runs, 3)
