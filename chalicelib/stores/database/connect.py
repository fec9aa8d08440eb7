"""Chooses the database for a DATABASE_URL."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from chalicelib.stores.database import database_url
from chalicelib.stores.database.base import Database


def connect(url: str, sleep: Callable[[float], None] = time.sleep) -> Database:
    """Return the database at `url`, without connecting to it yet.

    Parameters
    ----------
    url
        See `database_url.parse`.
    sleep
        Waits for the given number of seconds before a transaction is retried.

    Raises
    ------
    SettingsError
        When `url` is not a valid DATABASE_URL.
    """
    named = database_url.parse(url)
    # Imports only the driver in use, as every import lengthens a cold start.
    if isinstance(named, Path):
        from chalicelib.stores.database.sqlite import SQLiteDatabase

        return SQLiteDatabase(named, sleep)
    from chalicelib.stores.database.mysql import MySQLDatabase

    return MySQLDatabase(named, sleep)
