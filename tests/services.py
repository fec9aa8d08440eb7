"""The real services that tests run against: a MySQL server and free ports."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pymysql

MAX_START_SECONDS = 120.0
# Lower than the ports that systems assign on request, from 32768 on Linux and from 49152 elsewhere. A server that
# starts some seconds later therefore still finds its port free. Each worker of pytest-xdist uses different ports.
FIRST_PORT, PORTS_PER_WORKER, MAX_WORKERS = 20_000, 500, 24


# The first two as parameter groups of RDS may have them. RDS has no GTIDs unless a parameter group turns them on, as
# "Using GTID-based replication" in its user guide says; MySQL 9 has them. MariaDB does not know some of these options.
MYSQL_OPTIONS = (
    "--partial-revokes=ON",
    "--sql-require-primary-key=ON",
    "--gtid-mode=OFF",
    "--enforce-gtid-consistency=OFF",
    "--secure-file-priv=NULL",
    "--mysqlx=OFF",
)


def free_port() -> int:
    """Return a port of this machine that is free now and will probably stay free for a while."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % MAX_WORKERS
    while True:
        port = FIRST_PORT + worker * PORTS_PER_WORKER + secrets.randbelow(PORTS_PER_WORKER)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def mysql_port() -> Iterator[int | None]:
    """Yield the port of a server with a root user that has no password: the one on 3306, or one started for the tests.

    With MYSQLD in the environment, start that server. Yield None if there is no server.
    """
    if _answers(3306) and "MYSQLD" not in os.environ:
        yield 3306
    elif mysql_program() is not None:
        with own_mysql() as port:
            yield port
    else:
        yield None


def mysql_program() -> str | None:
    """Return the server to start: MYSQLD of the environment, or the installed one."""
    return os.environ.get("MYSQLD") or shutil.which("mariadbd") or shutil.which("mysqld")


@contextmanager
def own_mysql(*options: str) -> Iterator[int]:
    """Start a server with empty data in a temporary folder, yield its port, and stop the server."""
    with TemporaryDirectory(prefix="face-search-mysql-") as name:
        folder, port = Path(name), free_port()
        install_mysql(folder)
        server = start_mysql(folder, port, *options)
        try:
            yield port
        finally:
            server.terminate()
            server.wait()


def install_mysql(folder: Path) -> None:
    """Create a server's empty data in a folder."""
    program = mysql_program()
    installer = None if "MYSQLD" in os.environ else shutil.which("mariadb-install-db")
    assert program is not None
    (folder / "data").mkdir()
    if installer:
        install = [installer, *_own(folder), "--auth-root-authentication-method=normal"]
    else:
        # For servers that do not resolve the address to localhost.
        root = "'root'@'127.0.0.1'"
        (folder / "root.sql").write_text(f"CREATE USER {root};\nGRANT ALL ON *.* TO {root} WITH GRANT OPTION;\n")
        install = [program, *_own(folder), "--initialize-insecure", f"--init-file={folder / 'root.sql'}"]
    with (folder / "log").open("ab") as log:
        subprocess.run(install, check=True, stdout=log, stderr=log)


def start_mysql(folder: Path, port: int, *options: str) -> subprocess.Popen[bytes]:
    """Start a folder's server and wait until it answers."""
    program = mysql_program()
    assert program is not None
    listen = [f"--port={port}", "--bind-address=127.0.0.1", f"--socket={folder / 'socket'}"]
    own = MYSQL_OPTIONS if "MYSQLD" in os.environ else ()
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen([program, *_own(folder), *listen, *own, *options], stdout=log, stderr=log)
    deadline = time.monotonic() + MAX_START_SECONDS
    while not _answers(port):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            server.wait()
            raise RuntimeError(f"{program} did not start: {(folder / 'log').read_text()}")
        time.sleep(0.05)
    return server


@contextmanager
def mysql_database(server_port: int) -> Iterator[str]:
    """Create a database, yield its name, and drop it at the end. The root user has no password."""
    name = f"face_search_{secrets.token_hex(8)}"
    as_root(server_port, f"CREATE DATABASE {name}")
    try:
        yield name
    finally:
        as_root(server_port, f"DROP DATABASE {name}")


def as_root(server_port: int, *statements: str) -> list[Any]:
    """Run statements and return the rows of the last one."""
    with root_connection(server_port) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def root_connection(server_port: int) -> pymysql.Connection[Any]:
    """Connect without TLS, because PyMySQL would otherwise read the system's certificates each time."""
    return pymysql.connect(host="127.0.0.1", port=server_port, user="root", autocommit=True, ssl_disabled=True)


def _own(folder: Path) -> list[str]:
    return ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={getpass.getuser()}"]


def _answers(port: int) -> bool:
    try:
        root_connection(port).close()
    except pymysql.MySQLError:
        return False
    return True
