"""The SQLite dialect: keeps a local face set in one file."""

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
    """A SQLite file. Reads continue during a write (WAL), and a commit is on disk when it returns.

    Parameters
    ----------
    file
        The database file; created with its parent folders if missing.
    """

    dialect: ClassVar[str] = "sqlite"
    # Takes the write lock at once: a transaction that starts with a read cannot wait for the lock later.
    begin: ClassVar[str] = "BEGIN IMMEDIATE"
    driver_errors: ClassVar[tuple[type[Exception], ...]] = (sqlite3.Error, OSError)

    def __init__(self, file: Path, sleep: Callable[[float], None]) -> None:
        super().__init__(sleep)
        self._file = file.absolute()

    def open(self) -> Connection:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # The pool lends a connection to one thread at a time, but not always to the same thread.
        connection = sqlite3.connect(
            self._file, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # NORMAL could lose the last commits in a power failure.
            connection.execute("PRAGMA synchronous = FULL")
            # Overwrites deleted data; the default only on some systems.
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
        # SQLite has no row locks: the only writer holds the lock of the whole database.
        sql = sql.removesuffix(" FOR UPDATE").removesuffix(" LOCK IN SHARE MODE")
        return _FORCED_INDEX.sub(r"INDEXED BY \1", sql)

    def forget_deleted(self, connection: Connection) -> None:
        """Empty the write-ahead log, which holds older copies of the pages.

        This never waits: if other connections are active, the next deletion or compaction empties the log.
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
