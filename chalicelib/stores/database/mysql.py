"""The MySQL dialect, on PyMySQL; MariaDB speaks it too."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import pymysql
from pymysql.constants import CLIENT

from chalicelib import deadline
from chalicelib.errors import migration_under_way
from chalicelib.stores.database.base import Connection, Database, Fault, Transaction
from chalicelib.stores.database.database_url import SYSTEM_CA, MySQLLogin
from chalicelib.stores.database.mysql_faults import FAULT_OF_CODE
from chalicelib.stores.database.rds_token import RdsTokenSigner

CONNECT_TIMEOUT_SECONDS = 5
READ_TIMEOUT_SECONDS = 10
WRITE_TIMEOUT_SECONDS = 10
# Shorter than the read timeout: the server's default of 50 s would look like a lost connection.
LOCK_TIMEOUT_SECONDS = 2
MIGRATION_LOCK_TIMEOUT_SECONDS = 8

_SQL_MODE = "STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION"
# GET_LOCK's names are the whole server's, and may have 64 characters.
_MIGRATION_LOCK = "CONCAT('face_search.migrate.', MD5(DATABASE()))"
_ACCESS_DENIED = 1045
_IAM_HINT = "may the role rds-db:connect as this user, and has the migrate function made the user?"

# The plugins under which a client sends the password as it is.
_READABLE = ("mysql_clear_password", "dialog")

T = TypeVar("T")

if TYPE_CHECKING:
    _Connection = pymysql.Connection[Any]
else:  # generic to the type checker only
    _Connection = pymysql.Connection


class MySQLDatabase(Database):
    """Connections are READ COMMITTED, strict and utf8mb4; an UPDATE counts the rows it matches.

    A connection can be opened when the login's server is verified, or does not ask for the password in clear text.
    """

    dialect: ClassVar[str] = "mysql"
    begin: ClassVar[str] = "BEGIN"
    driver_errors: ClassVar[tuple[type[Exception], ...]] = (pymysql.MySQLError, OSError)

    def __init__(self, login: MySQLLogin, sleep: Callable[[float], None]) -> None:
        super().__init__(sleep)
        self.login = login
        self._signer = RdsTokenSigner(login.host, login.port, login.user) if login.iam else None

    def open(self) -> Connection:
        connection = self._connect()
        connection.cursor().execute("SET innodb_lock_wait_timeout = %s", (LOCK_TIMEOUT_SECONDS,))
        return connection

    def _connect(self) -> pymysql.Connection[Any]:
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
                connect_timeout=deadline.shortened(CONNECT_TIMEOUT_SECONDS),
                read_timeout=READ_TIMEOUT_SECONDS,
                write_timeout=WRITE_TIMEOUT_SECONDS,
                sql_mode=_SQL_MODE,
                init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
                # An SSLContext makes TLS a condition. None: TLS is used when the server offers it.
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
    """Waits for no packet longer than the request may; PyMySQL reads both attributes before each."""

    def _create_ssl_ctx(self, ssl_arguments: Any) -> ssl.SSLContext:
        """Return the context that was given; where there is none, PyMySQL would make one for each connection."""
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
    """Answers a server that asks for the password itself, and is not known to be the one that may have it."""

    def __init__(self, _: object) -> None: ...

    def authenticate(self, _: object) -> NoReturn:
        raise pymysql.OperationalError("the server asks for the password in clear text: DATABASE_URL must have ca=")


@lru_cache
def _verifying(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=None if ca == SYSTEM_CA else ca)
    # Python 3.13 began to refuse what RFC 5280 does not allow; RDS's older CA certificates are such.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context


@lru_cache
def _unverifying() -> ssl.SSLContext:
    """Return what PyMySQL would make, but for the system's certificates: to read those takes 30 ms, for nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@lru_cache(maxsize=256)
def _with_percent_marks(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


def _number(error: Exception) -> int:
    """Return the error's number, or -1: some of PyMySQL's own errors carry only a sentence."""
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else -1
