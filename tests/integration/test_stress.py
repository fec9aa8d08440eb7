"""Killed processes neither lose, invent nor delay a change, and the stress test finds each fault planted in it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.vector_store import StoredVector
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceSet
from infra.local import resources
from tests.conftest import absent
from tests.embeddings import MODEL, known_faces, unit_vectors
from tests.harness.stress.addresses import bucket
from tests.harness.stress.comparing import Comparing, Probe
from tests.harness.stress.databases import new_mysql, new_sqlite
from tests.harness.stress.final_check import check_index
from tests.harness.stress.galleries import new_memory_gallery, vector_parts
from tests.harness.stress.journal import Fate, Journal, Ledger, Operation
from tests.harness.stress.numbered_faces import DIMENSION, embedding, face, make_sets, set_id
from tests.harness.stress.plan import Fault, Plan
from tests.harness.stress.report import (
    APPLICATIONS,
    COMPACTIONS,
    COMPARED,
    DIFFERENT,
    FAILED_REQUESTS,
    GALLERY,
    INDEX,
    LOST,
    OWN_WRITE,
    PHANTOM,
    RELOADS,
    SOUGHT,
    WRITER_KILLS,
    Figures,
    Report,
    figures,
)
from tests.harness.stress.run import run

# Only ends a run that would not end by itself.
MAX_SECONDS = 900

on_mysql = pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_killed_processes_and_rollbacks_lose_and_invent_nothing(database_url: str) -> None:
    found = run(database_url, changes=400, writers=4, readers=2, max_seconds=MAX_SECONDS)

    assert found.failures == 0, found.table()
    assert found.changes == 400
    assert found.searches > 100
    assert found.rollbacks > 20
    for kind in (WRITER_KILLS, COMPACTIONS, RELOADS):
        assert found.counts[kind] > 0, kind


@pytest.mark.parametrize("new", [new_sqlite, new_mysql], ids=["sqlite", "mysql"])
def test_segments_in_s3_lose_and_keep_nothing(new: Callable[[], AbstractContextManager[str | None]]) -> None:
    """A compaction may take longer than few changes, so the run is repeated with more."""
    for changes in (300, 600, 1_200, 2_400):
        with new() as url:
            if url is None:
                absent("there is no MySQL server on 127.0.0.1:3306, and no mariadbd or mysqld to start one")
            found = run(url, changes=changes, writers=3, readers=2, segments="s3", max_seconds=MAX_SECONDS)
        assert found.failures == 0, found.table()
        assert found.changes == changes
        if found.counts[COMPACTIONS] and found.counts[SOUGHT]:
            return
    raise AssertionError(found.table())


@on_sqlite
@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        (Fault.SKIPS_ADDITIONS, (LOST, OWN_WRITE, GALLERY)),
        (Fault.KEEPS_ROLLBACKS, (PHANTOM, OWN_WRITE)),
        (Fault.FORGETS_CHANGES, (LOST, OWN_WRITE)),
    ],
    ids=lambda value: value.name if isinstance(value, Fault) else "",
)
def test_deliberate_faults_are_found(database_url: str, fault: Fault, kinds: tuple[str, ...]) -> None:
    found = _small_run(database_url, fault)

    assert all(found.faults[kind] for kind in kinds), found.table()


@on_sqlite
def test_a_vector_index_whose_requests_fail_loses_and_invents_nothing(database_url: str) -> None:
    found = run(
        database_url,
        changes=100,
        writers=3,
        readers=1,
        compactors=1,
        indexers=1,
        gallery="s3vectors",
        max_seconds=MAX_SECONDS,
    )

    assert found.failures == 0, found.table()
    assert found.changes == 100
    for kind in (COMPARED, APPLICATIONS, FAILED_REQUESTS):
        assert found.counts[kind] > 0, kind


@on_sqlite
def test_a_gallery_that_differs_from_the_memory_gallery_is_found(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    make_sets(database)
    FaceSet(database).add_many([face(number) for number in range(30)])
    report = Report(tmp_path, "test")
    plan = Plan(database_url, tmp_path, 0, 1, 1, 1, 1, time.time() + 60)
    broken, sound = (
        new_memory_gallery(database, replace(plan, fault=fault), Random(1), report)
        for fault in (Fault.SKIPS_ADDITIONS, Fault.NONE)
    )
    broken.apply()
    FaceSet(database).add_many([face(number) for number in range(30, 60)])
    terms = [Probe(embedding(number), 0.0, 10, set_id(number)) for number in range(60)]

    Comparing(database_url, report).compare(broken, sound, terms)

    found = figures(tmp_path, 0.0)
    assert found.counts[COMPARED] == 60
    # Every tenth of the later faces, and their twins.
    assert 3 <= found.faults[DIFFERENT] < 10


@on_sqlite
def test_an_index_that_differs_from_the_rows_is_found(
    database: Database, database_url: str, tmp_path: Path, aws_endpoint: str
) -> None:
    make_sets(database)
    plan = Plan(database_url, tmp_path, 0, 1, 1, 1, 1, time.time() + 60, vectors=aws_endpoint)
    parts = vector_parts(database, aws_endpoint)
    resources.create_vector_bucket(sdk.client("s3vectors"), bucket(aws_endpoint))
    parts.rebuild.run(MODEL, DIMENSION)
    face_set = FaceSet(database)
    face_set.add_many([face(number) for number in range(5)])
    parts.changes.apply()
    [index] = parts.indexes.all()

    check_index(database, face_set, plan, Report(tmp_path, "sound"))
    assert figures(tmp_path, 0.0).failures == 0

    parts.store().put(index.name, [StoredVector(99, embedding(1), 1)])
    parts.store().delete(index.name, [1])
    check_index(database, face_set, plan, Report(tmp_path, "spoilt"))
    assert figures(tmp_path, 0.0).faults[INDEX] == 1


@on_mysql
def test_a_gallery_that_follows_ids_is_found_to_lose_faces(database_url: str) -> None:
    """MySQL's ids may become visible out of order; SQLite's do not."""
    # How often writers collide depends on the scheduler: usually some faces per hundred changes, seldom none.
    found = _small_run(database_url, Fault.FOLLOWS_IDS, changes=400)

    assert found.faults[LOST], found.table()


@on_sqlite
def test_a_database_with_faces_is_not_touched(database: Database, database_url: str) -> None:
    FaceSet(database).add(known_faces(unit_vectors(1))[0])

    with pytest.raises(ValueError, match="not empty"):
        run(database_url, changes=1)


def test_a_line_truncated_by_a_kill_does_not_count(tmp_path: Path) -> None:
    file = tmp_path / "journal"
    journal = Journal(file)
    journal.intend(Operation.ADD, [3, 11])
    journal.done()
    journal.intend(Operation.REMOVE, [3])
    with file.open("ab") as cut:
        cut.write(b"done")

    Journal(file).intend(Operation.ADD, [2])

    ledger = Ledger([file])
    ledger.read()
    assert ledger.answered == 2
    assert ledger.fates()[[2, 3, 4, 11]].tolist() == [Fate.ADDING, Fate.REMOVING, Fate.NEVER, Fate.THERE]


def _small_run(url: str, fault: Fault, changes: int = 300) -> Figures:
    return run(url, changes=changes, writers=4, readers=2, compactors=1, fault=fault, max_seconds=MAX_SECONDS)
