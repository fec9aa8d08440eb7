"""The SQLite dialect: the face set of a laptop, in one file."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, TypeVar

from chalicelib.stores.database.base import Connection, Database, Fault, Transaction

BUSY_TIMEOUT_SECONDS = 2.0

_FAULT_OF_CODE = {
    sqlite3.SQLITE_BUSY: Fault.CONFLICT,
    sqlite3.SQLITE_LOCKED: Fault.CONFLICT,
    sqlite3.SQLITE_CANTOPEN: Fault.UNAVAILABLE,
    sqlite3.SQLITE_READONLY: Fault.UNAVAILABLE,
    sqlite3.SQLITE_IOERR: Fault.UNAVAILABLE,
    sqlite3.SQLITE_FULL: Fault.UNAVAILABLE,
    sqlite3.SQLITE_INTERRUPT: Fault.UNAVAILABLE,
    sqlite3.SQLITE_PROTOCOL: Fault.UNAVAILABLE,  # the log's locks were contended for too long
}
_DUPLICATE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)
_SCHEMA_MESSAGES = (
    "no such table",
    "no such column",
    "has no column named",
    "duplicate column name",
    "already exists",
)

_FORCED_INDEX = re.compile(r"FORCE INDEX \((\w+)\)")

T = TypeVar("T")


class SQLiteDatabase(Database):
    """Readers go on while one writes (WAL), and a commit is on the disk when it returns.

    Parameters
    ----------
    file
        Made with the folders above it when it is not there.
    """

    dialect: ClassVar[str] = "sqlite"
    # Takes the write lock at once: a transaction that began as a reader could not wait for it.
    begin: ClassVar[str] = "BEGIN IMMEDIATE"
    driver_errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error, OSError)

    def __init__(self, file: Path, sleep: Callable[[float], None]) -> None:
        super().__init__(sleep)
        self._file = file.absolute()

    def open(self) -> Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # The pool gives a connection to one thread at a time, but not always to the same.
        connection = sqlite3.connect(
            self._file, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # NORMAL could lose the last commits when the power fails.
            connection.execute("PRAGMA synchronous = FULL")
            # What is deleted is overwritten, which is the default on some systems only.
            connection.execute("PRAGMA secure_delete = ON")
        except sqlite3.Error:
            connection.close()
            raise
        return connection

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, OSError):
            return Fault.UNAVAILABLE
        code = _code(error)
        if code in _DUPLICATE:
            return Fault.DUPLICATE
        if any(message in str(error) for message in _SCHEMA_MESSAGES):
            return Fault.SCHEMA
        return _FAULT_OF_CODE.get(code & 0xFF, Fault.UNEXPECTED)  # the low byte is the primary code

    def code(self, error: Exception) -> str:
        return getattr(error, "sqlite_errorname", type(error).__name__)

    def in_dialect(self, sql: str) -> str:
        # The one writer holds the whole database's lock.
        sql = sql.removesuffix(" FOR UPDATE").removesuffix(" LOCK IN SHARE MODE")
        return _FORCED_INDEX.sub(r"INDEXED BY \1", sql)

    def forget_deleted(self, connection: Connection) -> None:
        """Empty the write-ahead log, which has the pages as they were.

        Nobody is made to wait for it: where others are at work, the next deletion does it, or else the compaction's.
        """
        cursor = connection.cursor()
        try:
            cursor.execute("PRAGMA busy_timeout = 0", ())
            with suppress(sqlite3.Error):
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)", ())
                cursor.fetchall()
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_SECONDS * 1000)}", ())

    def alone(self, work: Callable[[Transaction], T]) -> T:
        return self.write(work)


def _code(error: Exception) -> int:
    return getattr(error, "sqlite_errorcode", 0)
