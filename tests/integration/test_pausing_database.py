"""A database that pauses starts when it is called. Requests are told to come again, and other work waits."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from chalicelib import deadline
from chalicelib.errors import ServiceError
from chalicelib.stores.database import mysql
from chalicelib.stores.database.connect import connect
from tests.pausing_front import PausingFront
from tests.services import free_port, mysql_database

PAUSED = (503, "the database starts after an idle time, in some 15 to 30 seconds; try again", 15)


@pytest.fixture
def front(mysql_server: int) -> Iterator[PausingFront]:
    with PausingFront(mysql_server) as front:
        yield front


@pytest.fixture
def name(mysql_server: int) -> Iterator[str]:
    with mysql_database(mysql_server) as name:
        yield name


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let requests give up soon: the front does not answer them anyway."""
    monkeypatch.setattr(mysql, "STARTING_TIMEOUT_SECONDS", 0.1)


def refusal(url: str) -> tuple[int, str, int | None]:
    with pytest.raises(ServiceError) as refused, deadline.within(60):
        connect(url).read("SELECT 1")
    return refused.value.status, refused.value.detail, refused.value.retry_after


@pytest.mark.usefixtures("hasty")
def test_a_request_calls_the_database_and_is_told_when_to_come_again(front: PausingFront, name: str) -> None:
    url = f"mysql://root@127.0.0.1:{front.port}/{name}?pauses=yes"

    assert refusal(url) == PAUSED
    assert front.called.is_set()

    front.start()
    with deadline.within(60):
        assert connect(url).read("SELECT 1") == [(1,)]


@pytest.mark.usefixtures("hasty")
def test_a_request_that_nothing_answers_is_told_the_same(name: str) -> None:
    assert refusal(f"mysql://root@127.0.0.1:{free_port()}/{name}?pauses=yes") == PAUSED


def test_other_work_waits_until_the_database_has_started(
    front: PausingFront, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Shorter than the wait, and ineffective: a scheduled function has no deadline.
    monkeypatch.setattr(mysql, "STARTING_TIMEOUT_SECONDS", 0.01)
    database = connect(f"mysql://root@127.0.0.1:{front.port}/{name}?pauses=yes")

    def start_when_called() -> None:
        front.called.wait()
        front.start()

    starting = threading.Thread(target=start_when_called)
    starting.start()

    assert database.read("SELECT 1") == [(1,)]

    starting.join()


def test_after_connecting_answers_are_waited_for_as_usual(mysql_server: int, name: str) -> None:
    database = connect(f"mysql://root@127.0.0.1:{mysql_server}/{name}?pauses=yes")
    assert isinstance(database, mysql.MySQLDatabase)

    connection = database.open()

    assert isinstance(connection, mysql._TimedConnection)
    assert connection._read_timeout == mysql.READ_TIMEOUT_SECONDS
    connection.close()


def test_a_refused_login_is_not_mistaken_for_a_pause(mysql_server: int, name: str) -> None:
    status, _, retry_after = refusal(f"mysql://nobody:wrong@127.0.0.1:{mysql_server}/{name}?pauses=yes")

    assert (status, retry_after) == (500, None)


def test_a_database_that_does_not_pause_is_only_out_of_reach(name: str) -> None:
    assert refusal(f"mysql://root@127.0.0.1:{free_port()}/{name}") == (
        503,
        "a store cannot be reached at the moment; try again",
        2,
    )
