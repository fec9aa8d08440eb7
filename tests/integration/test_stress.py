"""No change is lost, invented or seen late by processes that are killed; and when one is, the stress test tells."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.stores.database import Database
from chalicelib.stores.face_set import FaceSet
from tests.embeddings import known_faces, unit_vectors
from tests.stress.journal import Fate, Journal, Ledger, Operation
from tests.stress.plan import Fault
from tests.stress.report import (
    APPLICATIONS,
    COMPACTIONS,
    COMPARED,
    DIFFERENT,
    FAILED_REQUESTS,
    GALLERY,
    LOST,
    OWN_WRITE,
    PHANTOM,
    RELOADS,
    WRITER_KILLS,
    Figures,
)
from tests.stress.run import run

on_mysql = pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_killed_processes_and_rollbacks_lose_and_invent_nothing(database_url: str) -> None:
    found = run(database_url, changes=400, writers=4, readers=2, max_seconds=60)

    assert found.failures == 0, found.table()
    assert found.changes == 400
    assert found.searches > 100
    assert found.rollbacks > 20
    for kind in (WRITER_KILLS, COMPACTIONS, RELOADS):
        assert found.counts[kind] > 0, kind


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
def test_what_is_broken_on_purpose_is_found(database_url: str, fault: Fault, kinds: tuple[str, ...]) -> None:
    found = _small_run(database_url, fault)

    assert all(found.faults[kind] for kind in kinds), found.table()


@on_sqlite
def test_a_vector_index_whose_requests_fail_loses_and_invents_nothing(database_url: str) -> None:
    found = _small_vector_run(database_url, changes=100, writers=3)

    assert found.failures == 0, found.table()
    assert found.changes == 100
    for kind in (COMPARED, APPLICATIONS, FAILED_REQUESTS):
        assert found.counts[kind] > 0, kind


@on_sqlite
def test_a_gallery_that_takes_the_index_for_everything_is_found(database_url: str) -> None:
    found = _small_vector_run(database_url, changes=40, writers=2, fault=Fault.LOOKS_AT_NO_TAIL)

    assert found.faults[LOST] + found.faults[OWN_WRITE] + found.faults[DIFFERENT], found.table()


@on_mysql
def test_a_gallery_that_follows_ids_is_found_to_lose_faces(database_url: str) -> None:
    """MySQL's ids become visible out of order, SQLite's do not."""
    found = _small_run(database_url, Fault.FOLLOWS_IDS)

    assert found.faults[LOST], found.table()


@on_sqlite
def test_a_database_with_faces_is_left_alone(database: Database, database_url: str) -> None:
    FaceSet(database).add(known_faces(unit_vectors(1))[0])

    with pytest.raises(ValueError, match="not empty"):
        run(database_url, changes=1)


def test_a_line_that_a_kill_cut_short_does_not_count(tmp_path: Path) -> None:
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


def _small_vector_run(url: str, *, changes: int, writers: int, fault: Fault = Fault.NONE) -> Figures:
    return run(
        url,
        changes=changes,
        writers=writers,
        readers=1,
        compactors=1,
        indexers=1,
        fault=fault,
        gallery="s3vectors",
        max_seconds=120,
    )


def _small_run(url: str, fault: Fault) -> Figures:
    return run(url, changes=150, writers=4, readers=2, compactors=1, fault=fault, max_seconds=60)
