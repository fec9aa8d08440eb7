"""The pool lends a connection to one block at a time, and never again one on which something failed."""

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


def test_the_connection_used_last_is_used_next() -> None:
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


def test_closing_closes_what_is_idle_and_nothing_else() -> None:
    connections = Connections()
    with connections.pool.connection() as busy:
        with connections.pool.connection():
            pass
        connections.pool.close()
        assert connections.closed == [2]

    with connections.pool.connection() as kept:
        assert kept == busy
