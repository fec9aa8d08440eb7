"""The service, running, and clients that find its face set empty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack, local_stack
from tests.e2e.mysql_database import mysql_database


@pytest.fixture(scope="session")
def sqlite_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """`make run`, with the face set in SQLite."""
    with local_stack(tmp_path_factory.mktemp("sqlite") / "state") as stack:
        yield stack


@pytest.fixture(scope="session")
def mysql_stack(tmp_path_factory: pytest.TempPathFactory, mysql_server: int) -> Iterator[LocalStack]:
    """`make run`, with the face set in a database of a MySQL server."""
    with mysql_database(mysql_server) as database:
        url = f"mysql://root@127.0.0.1:{mysql_server}/{database}"
        with local_stack(tmp_path_factory.mktemp("mysql") / "state", DATABASE_URL=url) as stack:
            yield stack


@pytest.fixture
def sqlite_api(sqlite_stack: LocalStack) -> Iterator[HttpApi]:
    yield from _client(sqlite_stack)


@pytest.fixture
def mysql_api(mysql_stack: LocalStack) -> Iterator[HttpApi]:
    yield from _client(mysql_stack)


def _client(stack: LocalStack) -> Iterator[HttpApi]:
    client = HttpApi(stack.port)
    with client.on_an_empty_face_set():
        yield client
    client.session.close()
