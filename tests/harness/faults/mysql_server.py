"""A separate MySQL server that tests stop, restart, freeze, fill with connections and make read-only."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pymysql

from tests.services import free_port, install_mysql, start_mysql

# A user without special rights, because full or read-only servers still admit root.
USER, DATABASE = "service", "faces"


class MySQLServer:
    """A server; use `mysql_server`, which also stops it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._folder = folder
        install_mysql(folder)
        self._process = start_mysql(folder, self.port)
        self.do(f"CREATE DATABASE {DATABASE}")
        self.do(f"CREATE USER {USER}@localhost")
        self.do(f"GRANT ALL ON {DATABASE}.* TO {USER}@localhost")

    def url(self, port: int | None = None) -> str:
        """Return the service's database URL, with another port if a proxy is between."""
        return f"mysql://{USER}@127.0.0.1:{port or self.port}/{DATABASE}"

    def do(self, statement: str, *parameters: str) -> list[tuple[Any, ...]]:
        connection = self._connection("root")
        cursor = connection.cursor()
        cursor.execute(statement, parameters or None)
        rows = list(cursor.fetchall())
        connection.close()
        return rows

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def start(self) -> None:
        self._process = start_mysql(self._folder, self.port)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        self.kill()
        yield
        self.start()

    @contextmanager
    def restarted(self) -> Iterator[None]:
        self.kill()
        self.start()
        yield

    @contextmanager
    def frozen(self) -> Iterator[None]:
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)

    @contextmanager
    def read_only(self) -> Iterator[None]:
        self.do("SET GLOBAL read_only = 1")
        yield
        self.do("SET GLOBAL read_only = 0")

    @contextmanager
    def out_of_connections(self) -> Iterator[None]:
        """Occupy all connections, and end those of the service."""
        [(before,)] = self.do("SELECT @@max_connections")
        self.do("SET GLOBAL max_connections = 10")
        for (number,) in self.do("SELECT id FROM information_schema.processlist WHERE user = %s", USER):
            self.do(f"KILL {number}")
        with ExitStack() as held:
            for _ in range(10):
                try:
                    held.callback(self._connection(USER).close)
                except pymysql.OperationalError:
                    break
            yield
        self.do(f"SET GLOBAL max_connections = {before}")

    @contextmanager
    def rows_locked(self) -> Iterator[None]:
        """Hold the lock that every change needs, like a transaction that never ends."""
        connection = self._connection("root", DATABASE)
        connection.begin()
        connection.cursor().execute("SELECT version FROM face_set_version FOR UPDATE")
        yield
        connection.close()

    def _connection(self, user: str, database: str | None = None) -> pymysql.Connection[Any]:
        return pymysql.connect(
            host="127.0.0.1", port=self.port, user=user, database=database, autocommit=True, ssl_disabled=True
        )


@contextmanager
def mysql_server() -> Iterator[MySQLServer]:
    with TemporaryDirectory(prefix="face-search-faults-") as folder:
        server = MySQLServer(Path(folder))
        try:
            yield server
        finally:
            server.kill()
