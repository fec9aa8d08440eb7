"""Creates databases for runs without a URL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.services import mysql_database, mysql_port


@contextmanager
def new_sqlite() -> Iterator[str]:
    with TemporaryDirectory(prefix="face-search-stress-") as folder:
        yield f"sqlite:///{Path(folder) / 'face_set.sqlite'}"


@contextmanager
def new_mysql() -> Iterator[str | None]:
    """Yield the URL of a new database on this machine's server; None without a server."""
    with mysql_port() as port:
        if port is None:
            yield None
            return
        with mysql_database(port) as name:
            yield f"mysql://root@127.0.0.1:{port}/{name}"
