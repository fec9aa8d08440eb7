"""Chooses the database that an address names."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from chalicelib.stores.database import database_url
from chalicelib.stores.database.base import Database


def connect(url: str, sleep: Callable[[float], None] = time.sleep) -> Database:
    """Return the database that `url` names, without connecting to it yet.

    Parameters
    ----------
    url
        See `database_url.parse`.
    sleep
        Waits so many seconds between the repetitions of a transaction.

    Raises
    ------
    SettingsError
        When it names none.
    """
    named = database_url.parse(url)
    # A driver is imported only when its database is used: cold starts wait for every import.
    if isinstance(named, Path):
        from chalicelib.stores.database.sqlite import SQLiteDatabase

        return SQLiteDatabase(named, sleep)
    from chalicelib.stores.database.mysql import MySQLDatabase

    return MySQLDatabase(named, sleep)
