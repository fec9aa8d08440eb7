"""Both databases have whole transactions, shared connections, and faults that become contract errors."""

from __future__ import annotations

import logging
import multiprocessing
import secrets
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from chalicelib.errors import ServiceError
from chalicelib.stores.database import mysql, pool
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.database.connect import connect
from chalicelib.stores.database.pool import MAX_OPEN_CONNECTIONS
from tests.integration.conftest import INSERT, texts
from tests.services import free_port

SECRET = "Ada Lovelace"
on_mysql = pytest.mark.parametrize("database_url", ["mysql"], indirect=True)


def connection_id(database: Database) -> int:
    return int(database.read("SELECT CONNECTION_ID()")[0][0])


def status_of(error: pytest.ExceptionInfo[ServiceError]) -> int:
    return error.value.status


def test_a_transaction_that_raises_changes_nothing(notes: Database) -> None:
    def work(transaction: Transaction) -> None:
        transaction.execute(INSERT, (1, "lost"))
        raise KeyError

    with pytest.raises(KeyError):
        notes.write(work)
    assert texts(notes) == []


def test_only_the_transaction_itself_sees_its_uncommitted_rows(notes: Database, database_url: str) -> None:
    other = connect(database_url)

    def work(transaction: Transaction) -> tuple[int, int]:
        transaction.execute(INSERT, (1, "new"))
        return len(transaction.query("SELECT id FROM note FOR UPDATE")), len(texts(other))

    assert notes.write(work) == (1, 0)
    assert texts(other) == ["new"]


def test_an_update_counts_the_rows_it_matches(notes: Database) -> None:
    notes.write(lambda transaction: transaction.execute_many(INSERT, [(1, "same"), (2, "same")]))

    assert notes.write(lambda transaction: transaction.execute("UPDATE note SET text = 'same'")) == 2
    assert notes.write(lambda transaction: transaction.execute("UPDATE note SET text = 'x' WHERE id = 3")) == 0


def test_an_insert_reports_a_duplicate_key_and_the_transaction_goes_on(notes: Database) -> None:
    def work(transaction: Transaction) -> list[int | None]:
        return [transaction.insert(INSERT, (n, "first")) for n in (7, 7, 8)]

    assert notes.write(work)[1] is None
    assert [row[0] for row in notes.read("SELECT id FROM note ORDER BY id")] == [7, 8]


def test_a_percent_sign_in_a_statement_stays_a_percent_sign(notes: Database) -> None:
    notes.write(lambda transaction: transaction.execute(INSERT, (1, "50 %s")))

    assert notes.read("SELECT text, '%' FROM note WHERE text LIKE '%s' AND id = ?", (1,)) == [("50 %s", "%")]


def test_settings_of_a_connection(database_url: str) -> None:
    database = connect(database_url)
    if database.dialect == "sqlite":
        assert database.read("PRAGMA journal_mode") == [("wal",)]
        assert database.read("PRAGMA synchronous") == [(2,)]  # FULL
        assert database.read("PRAGMA secure_delete") == [(1,)]
        return
    # MariaDB before 11.1 and MySQL have different names for the isolation variable.
    variables: dict[str, str] = dict(
        database.read(
            "SHOW SESSION VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation',"
            " 'character_set_client', 'character_set_connection', 'innodb_lock_wait_timeout', 'autocommit', 'sql_mode')"
        )
    )
    assert "STRICT_ALL_TABLES" in variables.pop("sql_mode")
    assert variables.pop("innodb_lock_wait_timeout") == str(mysql.LOCK_TIMEOUT_SECONDS)
    assert variables.pop("autocommit") == "ON"
    assert set(variables.values()) == {"READ-COMMITTED", "utf8mb4"}


def test_the_folder_of_a_sqlite_file_is_created(tmp_path: Path) -> None:
    file = tmp_path / "a folder" / "of 100 %" / "face_set.sqlite"
    database = connect(f"sqlite:///{quote(str(file))}")

    assert database.read("SELECT 1") == [(1,)]
    assert file.is_file()


@on_mysql
def test_user_and_password_may_contain_any_character(database_url: str) -> None:
    server, parts = connect(database_url), urlsplit(database_url)
    user, password = f"u@{secrets.token_hex(4)}", "p:@/?#%é張"
    server.read("CREATE USER ? IDENTIFIED BY ?", (user, password))
    server.read(f"GRANT ALL ON {parts.path[1:]}.* TO ?", (user,))
    try:
        url = f"mysql://{quote(user, safe='')}:{quote(password, safe='')}@{parts.hostname}:{parts.port}{parts.path}"
        assert connect(url).read("SELECT SUBSTRING_INDEX(USER(), '@', 2)") == [(user,)]
    finally:
        server.read("DROP USER ?", (user,))


@on_mysql
def test_a_connection_is_reused(database_url: str) -> None:
    database = connect(database_url)

    first = connection_id(database)
    in_transaction = database.write(lambda transaction: transaction.query("SELECT CONNECTION_ID()"))

    assert [(first,)] == in_transaction
    assert connection_id(database) == first


@on_mysql
def test_a_connection_is_not_reused_after_a_failed_statement(database_url: str) -> None:
    database = connect(database_url)
    first = connection_id(database)

    with pytest.raises(ServiceError):
        database.read("THIS FAILS")

    assert connection_id(database) != first


@on_mysql
def test_closing_ends_the_connections_and_a_later_statement_opens_one(database_url: str) -> None:
    database, server = connect(database_url), connect(database_url)
    first = connection_id(database)

    database.close()

    assert connection_id(database) != first
    # The server notices the closed socket a moment later.
    end = time.monotonic() + 60
    while server.read("SELECT id FROM information_schema.processlist WHERE id = ?", (first,)):
        assert time.monotonic() < end, "the connection is still open"
        time.sleep(0.01)


def test_no_more_connections_are_open_than_allowed(notes: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "MAX_WAIT_SECONDS", 0.05)
    all_busy, finish = threading.Barrier(MAX_OPEN_CONNECTIONS + 1), threading.Event()
    monkeypatch.setattr(type(notes), "begin", "SELECT 1")  # SQLite would let only one begin

    def work(_: Transaction) -> None:
        all_busy.wait()
        finish.wait()
        raise KeyError

    with ThreadPoolExecutor(MAX_OPEN_CONNECTIONS) as executor:
        busy = [executor.submit(notes.write, work) for _ in range(MAX_OPEN_CONNECTIONS)]
        all_busy.wait()
        try:
            with pytest.raises(ServiceError) as raised:
                notes.read("SELECT 1")
        finally:
            finish.set()

    assert status_of(raised) == 503
    assert all(isinstance(future.exception(), KeyError) for future in busy)
    assert notes.read("SELECT 1") == [(1,)]


@on_mysql
def test_a_forked_process_does_not_use_its_parents_connections(database_url: str) -> None:
    database = connect(database_url)
    own = connection_id(database)
    context = multiprocessing.get_context("fork")
    answers: Any = context.SimpleQueue()

    child = context.Process(target=lambda: answers.put(connection_id(database)))
    child.start()
    child.join(120)

    assert child.exitcode == 0
    assert answers.get() != own
    assert connection_id(database) == own


@on_mysql
def test_a_reply_that_takes_too_long_is_503(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mysql, "READ_TIMEOUT_SECONDS", 0.2)

    with pytest.raises(ServiceError) as raised:
        connect(database_url).read("SELECT SLEEP(2)")
    assert status_of(raised) == 503


@on_mysql
def test_a_server_without_free_connections_is_503(database_url: str) -> None:
    server, parts = connect(database_url), urlsplit(database_url)
    user = f"u{secrets.token_hex(4)}"
    server.read("CREATE USER ? WITH MAX_USER_CONNECTIONS 1", (user,))
    server.read(f"GRANT ALL ON {parts.path[1:]}.* TO ?", (user,))
    url = f"mysql://{user}@{parts.hostname}:{parts.port}{parts.path}"
    first = connect(url)
    try:
        assert first.read("SELECT 1") == [(1,)]
        with pytest.raises(ServiceError) as raised:
            connect(url).read("SELECT 1")
    finally:
        first.close()
        server.read("DROP USER ?", (user,))
    assert status_of(raised) == 503


def test_an_unreachable_database_is_503(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for url in (f"mysql://root@127.0.0.1:{free_port()}/test", f"sqlite:///{tmp_path}/file/face_set.sqlite"):
        with pytest.raises(ServiceError) as read:
            connect(url).read("SELECT 1")
        with pytest.raises(ServiceError) as written:
            connect(url).write(lambda transaction: transaction.execute("SELECT 1"))
        assert (status_of(read), status_of(written)) == (503, 503)


@on_mysql
def test_a_refused_password_is_500_and_logged(database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ServiceError) as raised:
        connect(database_url.replace("root@", "nobody:wrong@")).read("SELECT 1")
    assert status_of(raised) == 500
    assert "Access denied" in caplog.text


@pytest.mark.parametrize("sql", ["SELECT ? FROM face_set", "SELECT ? FROM note WHERE face_token = 1"])
def test_an_old_schema_is_500_and_the_log_names_the_remedy(
    notes: Database, caplog: pytest.LogCaptureFixture, sql: str
) -> None:
    with pytest.raises(ServiceError) as raised:
        notes.read(sql, (SECRET,))
    assert status_of(raised) == 500
    assert "the database schema is missing or old: run the migration" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT FROM WHERE ?",
        "INSERT INTO note (id, text) VALUES (1, 'a'), (2, NULL), (3, ?)",
        "INSERT INTO note (id, text) VALUES (1, 'a'), (1, ?)",
    ],
    ids=["syntax", "null", "duplicate"],
)
def test_no_log_and_no_traceback_shows_a_parameter(notes: Database, caplog: pytest.LogCaptureFixture, sql: str) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(ServiceError) as raised:
        notes.write(lambda transaction: transaction.execute(sql, (SECRET,)))
    assert status_of(raised) == 500
    assert sql in caplog.text
    assert SECRET not in caplog.text
    assert SECRET not in "".join(traceback.format_exception(raised.value))
