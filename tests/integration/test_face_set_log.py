"""The face set's log contains every change once, in order, despite concurrent writers and lost connections."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import KnownFace, new_token
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.change_log import Operation
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.schema import migrate
from tests.examples import EMBEDDING_ID, known_face


@pytest.fixture
def face_set(database: Database) -> FaceSet:
    return FaceSet(database)


class Copy:
    """A copy of the face set's ids that follows its log."""

    def __init__(self, face_set: FaceSet) -> None:
        self._face_set = face_set
        self._version = 0
        self.ids: set[int] = set()

    def follow(self, limit: int = 10_000) -> None:
        changes = self._face_set.changes_since(self._version, EMBEDDING_ID, limit)
        assert changes is not None, "the log has a gap"
        for change in changes:
            self._version = change.version
            if change.operation is Operation.ADD:
                self.ids.add(change.face_id)
            else:
                self.ids.remove(change.face_id)


def all_ids(database: Database) -> set[int]:
    return {row[0] for row in database.read("SELECT id FROM face_set")}


def all_tokens(database: Database) -> set[str]:
    return {row[0] for row in database.read("SELECT face_token FROM face_set")}


def test_the_log_contains_additions_and_removals(face_set: FaceSet) -> None:
    stays, goes = known_face(seed=1), known_face(seed=2)
    face_set.add(stays)
    face_set.add(goes)
    face_set.remove(goes.token)

    changes = face_set.changes_since(0, EMBEDDING_ID)

    assert changes is not None
    assert [(change.version, change.operation) for change in changes] == [
        (1, Operation.ADD),
        (2, Operation.ADD),
        (3, Operation.REMOVE),
    ]
    assert changes[0].embedding is not None
    np.testing.assert_array_equal(changes[0].embedding, stays.embedding)
    assert changes[1].face_id == changes[2].face_id != changes[0].face_id
    assert [change.embedding for change in changes[1:]] == [None] * 2
    assert face_set.changes_since(2, EMBEDDING_ID) == changes[2:]
    assert face_set.changes_since(3, EMBEDDING_ID) == []


def test_a_long_log_is_read_in_parts(face_set: FaceSet, database: Database) -> None:
    for _ in range(5):
        face_set.add(known_face())
    copy = Copy(face_set)

    copy.follow(limit=3)
    assert len(copy.ids) == 3
    copy.follow(limit=3)
    assert copy.ids == all_ids(database)


@pytest.mark.parametrize("pruned", [1, 3], ids=["in part", "to the end"])
def test_a_reader_behind_a_pruned_log_gets_an_error(face_set: FaceSet, database: Database, pruned: int) -> None:
    for _ in range(3):
        face_set.add(known_face())
    database.write(lambda transaction: transaction.execute("DELETE FROM face_set_change WHERE version <= ?", (pruned,)))

    assert face_set.changes_since(0, EMBEDDING_ID) is None
    assert face_set.changes_since(3, EMBEDDING_ID) == []


def test_a_reader_ahead_of_the_log_gets_an_error(face_set: FaceSet) -> None:
    face_set.add(known_face())

    assert face_set.changes_since(2, EMBEDDING_ID) is None


def test_a_missing_counter_stops_changes_instead_of_losing_them(face_set: FaceSet, database: Database) -> None:
    database.write(lambda transaction: transaction.execute("DELETE FROM face_set_version"))

    with pytest.raises(ServiceError) as raised:
        face_set.add(known_face())
    assert raised.value.status == 500
    assert face_set.count() == 0


@pytest.mark.usefixtures("patient")
def test_eight_threads_lose_no_change(face_set: FaceSet, database: Database) -> None:
    rounds, writers = 12, 8
    copy = Copy(face_set)
    done = threading.Event()

    def follow_all_the_time() -> None:
        while not done.is_set():
            copy.follow()
            time.sleep(0.001)

    def write(writer: int) -> list[str]:
        kept = []
        for n in range(rounds):
            face = known_face(seed=writer)
            assert face_set.add(face)
            if n % 2:
                assert face_set.remove(face.token) == face.crop
            else:
                kept.append(face.token)
        return kept

    with ThreadPoolExecutor(writers + 1) as executor:
        follower = executor.submit(follow_all_the_time)
        try:
            kept = [token for tokens in executor.map(write, range(writers)) for token in tokens]
        finally:
            done.set()
        follower.result()

    copy.follow()
    assert copy.ids == all_ids(database)
    assert all_tokens(database) == set(kept)
    assert face_set.version() == writers * rounds * 3 // 2


def test_one_token_added_by_eight_threads_is_one_face(face_set: FaceSet) -> None:
    for n in range(5):
        token = new_token()
        with ThreadPoolExecutor(8) as executor:
            added = list(executor.map(lambda seed, token=token: face_set.add(known_face(token, seed=seed)), range(8)))

        assert sorted(added) == [False] * 7 + [True]
        assert (face_set.count(), face_set.version()) == (n + 1, n + 1)


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
def test_killed_connections_neither_lose_nor_repeat_a_change(database_url: str) -> None:
    database, server = connect(database_url), connect(database_url)
    migrate(database)
    face_set = FaceSet(database)
    done = threading.Event()
    killed = 0

    def kill_all_the_time() -> None:
        nonlocal killed
        others = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"
        while not done.is_set():
            for row in server.read(others):
                try:
                    server.read("KILL ?", row)
                    killed += 1
                except ServiceError:
                    pass  # the connection is closed already
            # Pause longer and longer. Otherwise no transaction would finish if each takes longer than the pause.
            time.sleep(0.02 * max(1, killed // 12))

    def until_answered(change: str, face: KnownFace) -> None:
        while True:
            try:
                _ = face_set.add(face) if change == "add" else face_set.remove(face.token)
                return
            except ServiceError as error:
                if error.status != 503:
                    raise

    def write(_: int) -> list[str]:
        kept = []
        while killed < 12 and not done.is_set():
            stays, goes = known_face(), known_face()
            until_answered("add", stays)
            until_answered("add", goes)
            until_answered("remove", goes)
            kept.append(stays.token)
        return kept

    with ThreadPoolExecutor(5) as executor:
        killer = executor.submit(kill_all_the_time)
        killer.add_done_callback(lambda _: done.set())
        try:
            kept = [token for tokens in executor.map(write, range(4)) for token in tokens]
        finally:
            done.set()
        killer.result()

    copy = Copy(face_set)
    copy.follow()
    assert copy.ids == all_ids(database)
    assert all_tokens(database) == set(kept)
    assert face_set.version() == 3 * len(kept)
