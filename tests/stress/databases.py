"""New databases for runs that name none."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pymysql

from tests.services import mysql_port


@contextmanager
def new_sqlite() -> Iterator[str]:
    with TemporaryDirectory(prefix="face-search-stress-") as folder:
        yield f"sqlite:///{Path(folder) / 'face_set.sqlite'}"


@contextmanager
def new_mysql() -> Iterator[str | None]:
    """Yield the URL of a database on this machine's server; None when there is none."""
    with mysql_port() as port:
        if port is None:
            yield None
            return
        name = f"face_search_stress_{secrets.token_hex(8)}"
        server = pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True)
        server.cursor().execute(f"CREATE DATABASE {name}")
        try:
            yield f"mysql://root@127.0.0.1:{port}/{name}"
        finally:
            server.ping(reconnect=True)
            server.cursor().execute(f"DROP DATABASE {name}")
            server.close()
