"""The server's error number decides the answer: 503 with Retry-After for temporary faults, else 500."""

from __future__ import annotations

from pathlib import Path

import pymysql
import pytest
from pymysql.constants import CR, ER

from chalicelib.api import replies
from chalicelib.errors import ServiceError
from chalicelib.stores.database import base as database_module
from chalicelib.stores.database.base import Database, Fault, Transaction
from chalicelib.stores.database.connect import connect
from chalicelib.stores.database.mysql_faults import FAULT_OF_CODE
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.schema import migrate
from tests.examples import known_face
from tests.services import root_connection

on_mysql = pytest.mark.parametrize("database_url", ["mysql"], indirect=True)

# Numbers that only client libraries or the server's files use, and one that SIGNAL does not accept.
NOT_SIGNALLED = {code for code in FAULT_OF_CODE if code < 1000 or 2000 <= code < 3000}

DISK_FULL = {
    "the table is full": 1114,
    "the disk is full": 1021,
    "the storage engine's error 28": 1030,
    "a file cannot be written, errno 28": 1026,
    "the system's number": 28,
}
PERMANENT = {
    "a syntax error": ER.PARSE_ERROR,
    "a refused login": ER.ACCESS_DENIED_ERROR,
    "no such database": ER.BAD_DB_ERROR,
    "no right to a table": ER.TABLEACCESS_DENIED_ERROR,
    "a value that is too long": ER.DATA_TOO_LONG,
    "a column without a value": ER.NO_DEFAULT_FOR_FIELD,
    "a statement too large for a packet": ER.NET_PACKET_TOO_LARGE,
    "a damaged table": ER.CRASHED_ON_USAGE,
    "TLS that the server does not have": CR.CR_SSL_CONNECTION_ERROR,
}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "LONGEST_BACKOFF_SECONDS", 0.001)


def raised(database: Database, code: int) -> ServiceError:
    """Make the server raise an error with this number in a transaction, and return the resulting ServiceError."""

    def work(transaction: Transaction) -> None:
        transaction.execute(f"SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'as if'")

    with pytest.raises(ServiceError) as failed:
        database.write(work)
    return failed.value


@on_mysql
@pytest.mark.usefixtures("hurried")
def test_every_error_number_is_answered_as_the_table_says(database: Database) -> None:
    for code, fault in FAULT_OF_CODE.items():
        if code in NOT_SIGNALLED:
            continue
        passes = fault in (Fault.LOST, Fault.CONFLICT, Fault.UNAVAILABLE)
        error = raised(database, code)
        assert (code, error.status, error.retry_after) == (code, 503, 2) if passes else (code, 500, None)


@on_mysql
@pytest.mark.parametrize("code", [code for code in DISK_FULL.values() if code not in NOT_SIGNALLED])
def test_a_full_disk_is_503_with_retry_after(database: Database, code: int) -> None:
    reply = replies.failure(raised(database, code))

    assert (reply.status_code, reply.headers["Retry-After"]) == (503, "2")


@on_mysql
def test_numbers_of_the_system_and_of_files_are_known_too(database: Database) -> None:
    for code in [*DISK_FULL.values(), 3, 20]:
        assert database.fault(pymysql.OperationalError(code, "No space left on device")) is Fault.UNAVAILABLE


@on_mysql
@pytest.mark.parametrize("what", PERMANENT)
def test_permanent_faults_are_500(database: Database, what: str) -> None:
    assert database.fault(pymysql.OperationalError(PERMANENT[what], what)) is Fault.UNEXPECTED


@on_mysql
def test_a_full_table_refuses_additions_and_can_be_searched(database_url: str, mysql_server: int) -> None:
    """Uses a real full table: in memory, where the server can limit a table's size."""
    database = connect(database_url)
    migrate(database)
    with root_connection(mysql_server) as root, root.cursor() as cursor:
        cursor.execute("SET max_heap_table_size = 16384")
        cursor.execute(f"ALTER TABLE {database_url.rpartition('/')[2]}.face_set_change ENGINE = MEMORY")
    face_set, added, failure = FaceSet(database), 0, None

    while failure is None and added < 5_000:
        try:
            added += face_set.add_many([known_face() for _ in range(100)])
        except ServiceError as error:
            failure = error

    assert failure is not None
    assert (failure.status, failure.retry_after) == (503, 2)
    assert face_set.version() == added > 0
    database.close()


def test_sqlite_without_room_is_503(tmp_path: Path) -> None:
    database = connect(f"sqlite:///{tmp_path / 'face_set.sqlite'}")
    migrate(database)
    pages = int(database.read("PRAGMA page_count")[0][0])
    face_set = FaceSet(database)

    def add(transaction: Transaction) -> None:
        transaction.query(f"PRAGMA max_page_count = {pages}")
        transaction.execute_many(
            "INSERT INTO face_set_change (version, op, face_id) VALUES (?, 1, 1)", [(n,) for n in range(100_000)]
        )

    with pytest.raises(ServiceError) as failed:
        database.write(add)

    assert (failed.value.status, failed.value.retry_after) == (503, 2)
    assert face_set.add(known_face())
