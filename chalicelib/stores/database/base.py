"""A small layer over two DB-API drivers: pools connections, retries transactions, raises faults as ServiceErrors."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import Enum, auto
from typing import Any, ClassVar, Protocol, TypeVar

from chalicelib import deadline
from chalicelib.errors import ServiceError, StoreFailedError, StoreUnavailableError, database_starts, schema_is_behind
from chalicelib.stores.backoff import backoff_seconds
from chalicelib.stores.database.pool import Pool

MAX_CONFLICTS = 5
FIRST_BACKOFF_SECONDS = 0.02
LONGEST_BACKOFF_SECONDS = 0.5

T = TypeVar("T")
Row = tuple[Any, ...]
Parameters = Sequence[Any]

_log = logging.getLogger(__name__)


class Cursor(Protocol):
    """The part of a DB-API cursor used here."""

    @property
    def rowcount(self) -> int: ...
    @property
    def lastrowid(self) -> int | None: ...
    def execute(self, sql: str, parameters: Any, /) -> object: ...
    def executemany(self, sql: str, rows: Any, /) -> object: ...
    def fetchall(self) -> Sequence[Row]: ...


class Connection(Protocol):
    """The part of a DB-API connection used here. The connection is in autocommit mode."""

    def cursor(self) -> Cursor: ...
    def close(self) -> None: ...


class Fault(Enum):
    """The meaning of a driver's error."""

    LOST = auto()  # this connection is unusable; a new one may work
    CONFLICT = auto()  # another transaction interfered; a retry may succeed
    DUPLICATE = auto()  # a unique key is already taken
    UNAVAILABLE = auto()
    STARTING = auto()  # the server was paused; it takes up to half a minute to start
    SCHEMA = auto()  # a table or column is missing or already exists
    UNEXPECTED = auto()


class DatabaseFault(Exception):  # noqa: N818  # `fault` is this module's word for what a driver's error means
    """A driver's error; `Database.read` and `write` retry after it or raise it as a ServiceError.

    `description` quotes no parameters, as they are names and embeddings; the drivers' messages would quote them.
    """

    def __init__(self, fault: Fault, description: str) -> None:
        super().__init__(description)
        self.fault = fault
        self.description = description


class Transaction:
    """Runs the statements of the work passed to `Database.write`."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection
        self.has_deleted = False

    @property
    def dialect(self) -> str:
        return self._database.dialect

    def execute(self, sql: str, parameters: Parameters = ()) -> int:
        """Run a statement; return the number of rows it matched, changed or not."""
        self.has_deleted |= sql.startswith("DELETE")
        with self._database.statement(sql) as dialect_sql:
            cursor = self._connection.cursor()
            cursor.execute(dialect_sql, parameters)
            return cursor.rowcount

    def insert(self, sql: str, parameters: Parameters = ()) -> int | None:
        """Insert one row; return its id, or None when a unique key is already taken."""
        try:
            with self._database.statement(sql) as dialect_sql:
                cursor = self._connection.cursor()
                cursor.execute(dialect_sql, parameters)
                return cursor.lastrowid
        except DatabaseFault as error:
            if error.fault is Fault.DUPLICATE:
                return None
            raise

    def execute_many(self, sql: str, rows: Sequence[Parameters]) -> None:
        """Run a statement for every row. On MySQL, an INSERT sends many rows per statement."""
        with self._database.statement(sql) as dialect_sql:
            self._connection.cursor().executemany(dialect_sql, rows)

    def query(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return a SELECT's rows. If writes depend on them, `sql` must end in FOR UPDATE, to read the newest."""
        return self._database.query(self._connection, sql, parameters)


class Database(ABC):
    """One database, shared by any number of threads.

    Statements are written once for all dialects. `?` stands for a parameter; a final `FOR UPDATE` or
    `LOCK IN SHARE MODE` locks rows. After any failure the connection is closed, which rolls its transaction back.
    """

    dialect: ClassVar[str]
    begin: ClassVar[str]
    driver_errors: ClassVar[tuple[type[Exception], ...]]
    pauses = False
    """Whether the server stops when it is idle, and starts when it is called."""

    def __init__(self, sleep: Callable[[float], None]) -> None:
        self._sleep = sleep
        self.is_behind: Callable[[], bool] = lambda: False
        """Whether the schema is older than the code needs. Called after a schema fault; must not raise one itself."""
        self._pool = Pool(self._open, self._close)

    @abstractmethod
    def open(self) -> Connection: ...

    @abstractmethod
    def fault(self, error: Exception) -> Fault: ...

    @abstractmethod
    def code(self, error: Exception) -> str:
        """Return the error's number or name, without its message."""

    @abstractmethod
    def in_dialect(self, sql: str) -> str: ...

    def forget_deleted(self, connection: Connection) -> None:  # noqa: B027  # nothing to do for a server
        """Erase deleted rows from the database's own files, if the service has access to those files.

        Called after a commit, so the caller logs its errors and does not raise them.
        """

    @abstractmethod
    def alone(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` while no other process runs `alone`. A statement that changes the schema may commit by itself."""

    def read(self, sql: str, parameters: Parameters = ()) -> list[Row]:
        """Return the rows of one SELECT, run as its own transaction.

        Raises
        ------
        ServiceError
            503 when the database cannot be reached, 500 when the statement fails.
        """
        return self._repeat(lambda connection: self.query(connection, sql, parameters))

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` inside one transaction and commit it.

        `work` runs again from the start when another transaction interferes. It also runs again, once, when the
        connection is lost before COMMIT is sent. So `work` must do nothing except run statements.

        Raises
        ------
        ServiceError
            503 when the database cannot be reached, stays busy, or is lost during COMMIT; after a loss during COMMIT
            the transaction may or may not have been committed. 500 when a statement fails.
        """
        return self._repeat(lambda connection: self._transact(connection, work))

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()

    def query(self, connection: Connection, sql: str, parameters: Parameters) -> list[Row]:
        with self.statement(sql) as dialect_sql:
            cursor = connection.cursor()
            cursor.execute(dialect_sql, parameters)
            return list(cursor.fetchall())

    @contextmanager
    def statement(self, sql: str) -> Iterator[str]:
        """Yield `sql` in the dialect, and raise driver errors from the block as DatabaseFault."""
        try:
            yield self.in_dialect(sql)
        except self.driver_errors as error:
            raise DatabaseFault(self.fault(error), f"{self.dialect} error {self.code(error)} in: {sql}") from None

    def _transact(self, connection: Connection, work: Callable[[Transaction], T]) -> T:
        transaction = Transaction(self, connection)
        transaction.execute(self.begin)
        result = work(transaction)
        try:
            transaction.execute("COMMIT")
        except DatabaseFault as error:
            if error.fault is not Fault.LOST:
                raise
            # The commit may have succeeded, so a retry might do the work twice.
            _log.warning("the connection was lost during COMMIT: %s", error.description)
            raise StoreUnavailableError() from None
        if transaction.has_deleted:
            try:
                self.forget_deleted(connection)
            except self.driver_errors as error:
                _log.warning("deleted rows may still be in the database's log: %s", self.code(error))
        return result

    def _repeat(self, use: Callable[[Connection], T]) -> T:
        conflicts = 0
        reopened = False
        while True:
            try:
                with self._pool.connection() as connection:
                    return use(connection)
            except DatabaseFault as error:
                if error.fault is Fault.LOST and not reopened:
                    reopened = True
                    # The idle connections are probably lost too: a Lambda freeze loses all of them.
                    self._pool.close()
                # DUPLICATE: the key was taken after the work looked for it. The next attempt will find the row.
                elif error.fault in (Fault.CONFLICT, Fault.DUPLICATE) and conflicts < MAX_CONFLICTS:
                    conflicts += 1
                    self._sleep(
                        backoff_seconds(conflicts, first=FIRST_BACKOFF_SECONDS, longest=LONGEST_BACKOFF_SECONDS)
                    )
                else:
                    raise self._as_service_error(error) from None
                deadline.store_failed()

    def _open(self) -> Connection:
        try:
            return self.open()
        except self.driver_errors as error:
            raise DatabaseFault(self.fault(error), f"connecting to {self.dialect}: {error}") from None

    def _as_service_error(self, error: DatabaseFault) -> ServiceError:
        if error.fault in (Fault.LOST, Fault.CONFLICT, Fault.UNAVAILABLE):
            _log.warning("the database is unavailable: %s", error.description)
            return StoreUnavailableError()
        if error.fault is Fault.STARTING:
            _log.warning("the database is starting, or cannot be reached: %s", error.description)
            return database_starts()
        if error.fault is Fault.SCHEMA:
            _log.error("the database schema is missing or old: run the migration (%s)", error.description)
            return schema_is_behind() if self.is_behind() else StoreFailedError()
        _log.error("the database failed: %s", error.description)
        return StoreFailedError()

    def _close(self, connection: Connection) -> None:
        with suppress(*self.driver_errors):
            connection.close()
