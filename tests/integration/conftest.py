"""A table to try transactions on."""

from __future__ import annotations

import pytest

from chalicelib.stores.database import Database, connect

INSERT = "INSERT INTO note (id, text) VALUES (?, ?)"


@pytest.fixture
def notes(database_url: str) -> Database:
    """A database with the empty table `note`, once for each dialect."""
    database = connect(database_url)
    database.write(
        lambda transaction: transaction.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text VARCHAR(9) NOT NULL)")
    )
    return database


def texts(database: Database) -> list[str]:
    return [row[0] for row in database.read("SELECT text FROM note ORDER BY id")]
