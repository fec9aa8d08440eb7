"""Lost connections are replaced, conflicting transactions are repeated, and nothing is done twice."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.errors import ServiceError
from chalicelib.stores.database import base as database_module
from chalicelib.stores.database import mysql, sqlite
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.database.connect import connect
from tests.integration.conftest import INSERT, texts

on_mysql = pytest.mark.parametrize("database_url", ["mysql"], indirect=True)


def connection_id(database: Database) -> int:
    return int(database.read("SELECT CONNECTION_ID()")[0][0])


def kill(database: Database, connection: int) -> None:
    database.read("KILL ?", (connection,))


@on_mysql
def test_a_connection_lost_between_requests_is_replaced(notes: Database, database_url: str) -> None:
    server = connect(database_url)

    kill(server, connection_id(notes))
    assert texts(notes) == []

    kill(server, connection_id(notes))
    notes.write(lambda transaction: transaction.execute(INSERT, (1, "written")))
    assert texts(notes) == ["written"]


@on_mysql
def test_after_one_lost_connection_all_idle_ones_are_closed(notes: Database, database_url: str) -> None:
    server, together = connect(database_url), threading.Barrier(4)
    others = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()"

    def use_one_each(_: int) -> int:
        def work(transaction: Transaction) -> int:
            together.wait()
            return int(transaction.query("SELECT CONNECTION_ID()")[0][0])

        return notes.write(work)

    with ThreadPoolExecutor(4) as executor:
        before = set(executor.map(use_one_each, range(4)))
    assert {row[0] for row in server.read(others)} == before
    kill(server, connection_id(notes))

    after = connection_id(notes)

    assert after not in before
    # The server notices a closed socket a moment later.
    end = time.monotonic() + 60
    while server.read(others) != [(after,)]:
        assert time.monotonic() < end, "an idle connection was kept"
        time.sleep(0.01)


@on_mysql
def test_a_transaction_is_repeated_from_the_start_after_its_connection_is_lost(
    notes: Database, database_url: str
) -> None:
    server = connect(database_url)
    runs = 0

    def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        transaction.execute(INSERT, (1, f"run {runs}"))
        if runs == 1:
            kill(server, transaction.query("SELECT CONNECTION_ID()")[0][0])
        transaction.execute(INSERT, (2, f"run {runs}"))

    notes.write(work)

    assert texts(notes) == ["run 2", "run 2"]


@on_mysql
def test_a_transaction_that_loses_its_connection_twice_is_503(notes: Database, database_url: str) -> None:
    server = connect(database_url)
    runs = 0

    def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        kill(server, transaction.query("SELECT CONNECTION_ID()")[0][0])
        transaction.execute(INSERT, (1, "never"))

    with pytest.raises(ServiceError) as raised:
        notes.write(work)
    assert raised.value.status == 503
    assert runs == 2
    assert texts(notes) == []


@on_mysql
def test_a_connection_lost_during_commit_is_503_and_nothing_is_repeated(notes: Database, database_url: str) -> None:
    server = connect(database_url)
    runs = 0

    def work(transaction: Transaction) -> None:
        nonlocal runs
        runs += 1
        transaction.execute(INSERT, (runs, "perhaps"))
        kill(server, transaction.query("SELECT CONNECTION_ID()")[0][0])

    with pytest.raises(ServiceError) as raised:
        notes.write(work)
    assert raised.value.status == 503
    assert runs == 1
    assert texts(notes) == []


@on_mysql
def test_a_connection_that_became_read_only_is_replaced(notes: Database) -> None:
    notes.read("SET SESSION TRANSACTION READ ONLY")

    notes.write(lambda transaction: transaction.execute(INSERT, (1, "written")))

    assert texts(notes) == ["written"]


@pytest.mark.usefixtures("patient")
def test_transactions_that_read_first_wait_for_each_other(notes: Database, database_url: str) -> None:
    notes.write(lambda transaction: transaction.execute(INSERT, (1, "0")))
    slept: list[float] = []
    database = connect(database_url, sleep=slept.append)

    def work(transaction: Transaction) -> None:
        [(text,)] = transaction.query("SELECT text FROM note WHERE id = 1 FOR UPDATE")
        transaction.execute("UPDATE note SET text = ? WHERE id = 1", (str(int(text) + 1),))

    with ThreadPoolExecutor(4) as executor:
        list(executor.map(lambda _: database.write(work), range(80)))

    assert texts(notes) == ["80"]
    assert slept == [], "a transaction had to be repeated"


@on_mysql
def test_transactions_that_deadlock_both_succeed(notes: Database) -> None:
    notes.write(lambda transaction: transaction.execute_many(INSERT, [(1, ""), (2, "")]))
    both_hold_one = threading.Barrier(2)
    runs: list[str] = []

    def write(text: str, first: int, second: int) -> None:
        def work(transaction: Transaction) -> None:
            runs.append(text)
            append = "UPDATE note SET text = CONCAT(text, ?) WHERE id = ?"
            transaction.execute(append, (text, first))
            if runs.count(text) == 1:
                both_hold_one.wait()
            transaction.execute(append, (text, second))

        notes.write(work)

    with ThreadPoolExecutor(2) as executor:
        for future in [executor.submit(write, "a", 1, 2), executor.submit(write, "b", 2, 1)]:
            future.result()

    assert len(runs) > 2, "no deadlock happened"
    assert sorted(map(sorted, texts(notes))) == [["a", "b"], ["a", "b"]]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 0.01)
    monkeypatch.setattr(mysql, "LOCK_TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(database_module, "MAX_CONFLICTS", 1)


class Blocked:
    """Lock a row in another transaction until `free` is called or the block ends."""

    def __init__(self, database: Database) -> None:
        self._locked, self._free = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=database.write, args=(self._hold,))
        self._thread.start()
        self._locked.wait()

    def _hold(self, transaction: Transaction) -> None:
        transaction.execute("UPDATE note SET text = 'held' WHERE id = 1")
        self._locked.set()
        self._free.wait()

    def free(self, *_: object) -> None:
        self._free.set()
        self._thread.join()

    def __enter__(self) -> Blocked:
        return self

    __exit__ = free


@pytest.mark.usefixtures("impatient")
def test_a_transaction_that_waited_too_long_is_repeated(notes: Database, database_url: str) -> None:
    notes.write(lambda transaction: transaction.execute(INSERT, (1, "")))
    with Blocked(notes) as blocked:
        patient = connect(database_url, sleep=blocked.free)

        patient.write(lambda transaction: transaction.execute("UPDATE note SET text = 'mine' WHERE id = 1"))

    assert texts(notes) == ["mine"]


@pytest.mark.usefixtures("impatient")
def test_a_transaction_that_always_waits_too_long_is_503(notes: Database, database_url: str) -> None:
    notes.write(lambda transaction: transaction.execute(INSERT, (1, "")))
    slept: list[float] = []
    with Blocked(notes), pytest.raises(ServiceError) as raised:
        connect(database_url, sleep=slept.append).write(
            lambda transaction: transaction.execute("UPDATE note SET text = 'mine' WHERE id = 1")
        )

    assert raised.value.status == 503
    assert len(slept) == 1
    assert texts(notes) == ["held"]
