"""The pool lends a connection to one block at a time and discards a connection after an error."""

from __future__ import annotations

import pytest

from chalicelib.stores.database.pool import Pool


class Connections:
    """Numbers instead of connections."""

    def __init__(self) -> None:
        self.opened = 0
        self.closed: list[int] = []
        self.pool = Pool(self.open, self.closed.append)

    def open(self) -> int:
        self.opened += 1
        return self.opened


def test_the_most_recently_used_connection_is_used_next() -> None:
    pool = Connections().pool
    with pool.connection() as first, pool.connection() as second:
        assert (first, second) == (1, 2)

    with pool.connection() as last_returned:
        assert last_returned == 1


def test_an_error_closes_the_connection() -> None:
    connections = Connections()
    with pytest.raises(KeyError), connections.pool.connection():
        raise KeyError

    assert connections.closed == [1]
    with connections.pool.connection() as next_one:
        assert next_one == 2


def test_closing_the_pool_closes_only_idle_connections() -> None:
    connections = Connections()
    with connections.pool.connection() as busy:
        with connections.pool.connection():
            pass
        connections.pool.close()
        assert connections.closed == [2]

    with connections.pool.connection() as kept:
        assert kept == busy
