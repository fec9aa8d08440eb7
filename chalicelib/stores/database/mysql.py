"""The MySQL and MariaDB dialect, through PyMySQL."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import pymysql
from pymysql.constants import CLIENT

from chalicelib import deadline
from chalicelib.errors import migration_under_way
from chalicelib.stores.database.base import Connection, Database, DatabaseFault, Fault, Transaction
from chalicelib.stores.database.database_url import SYSTEM_CA, MySQLLogin
from chalicelib.stores.database.mysql_faults import FAULT_OF_CODE
from chalicelib.stores.database.rds_token import RdsTokenSigner

CONNECT_TIMEOUT_SECONDS = 5
# How long connecting to a server that pauses may take. A request does not wait until it has started: it is tried again.
STARTING_TIMEOUT_SECONDS = 5
STARTED_TIMEOUT_SECONDS = 60
READ_TIMEOUT_SECONDS = 10
WRITE_TIMEOUT_SECONDS = 10
# Shorter than the read timeout: a wait of 50 s, the server's default, would look like a lost connection.
LOCK_TIMEOUT_SECONDS = 2
MIGRATION_LOCK_TIMEOUT_SECONDS = 8

_SQL_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
# GET_LOCK's names are shared by the whole server and limited to 64 characters, hence the hash of the database's name.
_MIGRATION_LOCK = "CONCAT('face_search.migrate.', LEFT(SHA2(DATABASE(), 256), 40))"
_ACCESS_DENIED = 1045
# Connecting fails with these while a paused server starts: no connection, and no greeting.
_NO_ANSWER = (2003, 2013)
_IAM_HINT = "check that the role has rds-db:connect for this user and that the migrate function has created the user"

# Plugins that make the client send the password in clear text.
_READABLE = ("mysql_clear_password", "dialog")

T = TypeVar("T")

if TYPE_CHECKING:
    _Connection = pymysql.Connection[Any]
else:  # generic to the type checker only
    _Connection = pymysql.Connection


class MySQLDatabase(Database):
    """A MySQL or MariaDB server. Connections are READ COMMITTED, strict and utf8mb4; an UPDATE counts matched rows.

    `open` fails when an unverified server asks for the password in clear text.
    """

    dialect: ClassVar[str] = "mysql"
    begin: ClassVar[str] = "BEGIN"
    driver_errors: ClassVar[tuple[type[Exception], ...]] = (pymysql.MySQLError, OSError)

    def __init__(self, login: MySQLLogin, sleep: Callable[[float], None]) -> None:
        super().__init__(sleep)
        self.login = login
        self.pauses = login.pauses
        self._signer = RdsTokenSigner(login.host, login.port, login.user) if login.iam else None

    def open(self) -> Connection:
        connection = (
            self._connect_or_start() if self.pauses else self._connect(CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS)
        )
        connection.cursor().execute("SET innodb_lock_wait_timeout = %s", (LOCK_TIMEOUT_SECONDS,))
        return connection

    def _connect_or_start(self) -> _TimedConnection:
        """Connect to a server that may be paused, which starts it. Only outside requests, wait until it has started."""
        wait = STARTING_TIMEOUT_SECONDS if deadline.is_set() else STARTED_TIMEOUT_SECONDS
        try:
            connection = self._connect(wait, wait)
        except self.driver_errors as error:
            if isinstance(error, OSError) or _number(error) in _NO_ANSWER:
                raise DatabaseFault(Fault.STARTING, f"connecting to {self.dialect}: {error}") from None
            raise
        connection._read_timeout = READ_TIMEOUT_SECONDS
        return connection

    def _connect(self, connect_timeout: float, read_timeout: float) -> _TimedConnection:
        login = self.login
        password = login.password if self._signer is None else self._signer.sign()
        try:
            return _TimedConnection(
                host=login.host,
                port=login.port,
                user=login.user,
                password=password.encode(),  # PyMySQL would encode text as Latin-1
                database=login.database,
                charset="utf8mb4",
                autocommit=True,
                client_flag=CLIENT.FOUND_ROWS,
                connect_timeout=deadline.shortened(connect_timeout),
                read_timeout=read_timeout,
                write_timeout=WRITE_TIMEOUT_SECONDS,
                sql_mode=_SQL_MODE,
                init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                # An SSLContext requires TLS. With None, TLS is used when the server offers it.
                ssl=None if login.ca is None else _verifying(login.ca),
                auth_plugin_map={} if login.ca else dict.fromkeys(_READABLE, _Refusal),
            )
        except pymysql.OperationalError as error:
            if login.iam and _number(error) == _ACCESS_DENIED:
                raise pymysql.OperationalError(_ACCESS_DENIED, f"{error.args[-1]}; {_IAM_HINT}") from None
            raise

    def fault(self, error: Exception) -> Fault:
        if isinstance(error, OSError):
            return Fault.UNAVAILABLE
        return FAULT_OF_CODE.get(_number(error), Fault.UNEXPECTED)

    def code(self, error: Exception) -> str:
        number = _number(error)
        return type(error).__name__ if number < 0 else str(number)

    def in_dialect(self, sql: str) -> str:
        return _with_percent_marks(sql)

    def alone(self, work: Callable[[Transaction], T]) -> T:
        def locked(transaction: Transaction) -> T:
            wait = (MIGRATION_LOCK_TIMEOUT_SECONDS,)
            if transaction.query(f"SELECT GET_LOCK({_MIGRATION_LOCK}, ?)", wait) != [(1,)]:
                raise migration_under_way()
            result = work(transaction)
            transaction.query(f"SELECT RELEASE_LOCK({_MIGRATION_LOCK})")
            return result

        return self.write(locked)


class _TimedConnection(_Connection):
    """Limits the wait for each packet to the request's time left; PyMySQL reads both timeouts before each packet."""

    def _create_ssl_ctx(self, ssl_arguments: Any) -> ssl.SSLContext:
        """Return the given context, or a cached unverifying one: PyMySQL would make one for each connection."""
        return ssl_arguments if isinstance(ssl_arguments, ssl.SSLContext) else _unverifying()

    @property
    def _read_timeout(self) -> float:
        return deadline.shortened(self._longest_read)

    @_read_timeout.setter
    def _read_timeout(self, seconds: float) -> None:
        self._longest_read = seconds

    @property
    def _write_timeout(self) -> float:
        return deadline.shortened(self._longest_write)

    @_write_timeout.setter
    def _write_timeout(self, seconds: float) -> None:
        self._longest_write = seconds


class _Refusal:
    """Refuses to send the password in clear text to an unverified server."""

    def __init__(self, _: object) -> None: ...

    def authenticate(self, _: object) -> NoReturn:
        raise pymysql.OperationalError("the server asks for the password in clear text: DATABASE_URL must have ca=")


@lru_cache
def _verifying(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if ca == SYSTEM_CA else ca)
    # Since version 3.13 Python rejects certificates that violate RFC 5280, as RDS's older CA certificates do.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@lru_cache
def _unverifying() -> ssl.SSLContext:
    """Return PyMySQL's default context without the system's certificates: reading them takes 30 ms, for no use."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=256)
def _with_percent_marks(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def _number(error: Exception) -> int:
    """Return the error's number, or -1: some of PyMySQL's own errors have only a message."""
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else -1
