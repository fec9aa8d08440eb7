"""An empty database on a MySQL server, for longer than one test."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pymysql


@contextmanager
def mysql_database(server_port: int) -> Iterator[str]:
    """Create a database, yield its name, and drop it at the end; root has no password."""
    name = f"face_search_{secrets.token_hex(8)}"
    server = pymysql.connect(host="127.0.0.1", port=server_port, user="root", autocommit=True)
    server.cursor().execute(f"CREATE DATABASE {name}")
    server.close()
    yield name
    server = pymysql.connect(host="127.0.0.1", port=server_port, user="root", autocommit=True)
    server.cursor().execute(f"DROP DATABASE {name}")
    server.close()
