"""Pools open connections for reuse."""

from __future__ import annotations

import logging
import os
import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

from chalicelib import deadline
from chalicelib.errors import too_busy

MAX_OPEN_CONNECTIONS = 8
MAX_WAIT_SECONDS = 10.0

C = TypeVar("C")

_log = logging.getLogger(__name__)


class Pool(Generic[C]):
    """At most MAX_OPEN_CONNECTIONS connections per process; the most recently used one is reused first.

    Parameters
    ----------
    open_one
        Opens a connection.
    close_one
        Closes a connection in any state.
    """

    def __init__(self, open_one: Callable[[], C], close_one: Callable[[C], None]) -> None:
        self._open = open_one
        self._close = close_one
        self._inherited: list[queue.LifoQueue[C | None]] = []
        self._start()

    @contextmanager
    def connection(self) -> Iterator[C]:
        """Lend a connection to the block; an error in the block closes the connection.

        Raises
        ------
        ServiceError
            503 when all connections stay in use for MAX_WAIT_SECONDS, or the request's time is over.
        """
        places = self._places_of_this_process()
        try:
            connection = places.get(timeout=deadline.shortened(MAX_WAIT_SECONDS))
        except queue.Empty:
            _log.warning("all %d connections are in use", MAX_OPEN_CONNECTIONS)
            raise too_busy() from None
        try:
            if connection is None:
                connection = self._open()
            yield connection
        except BaseException:
            if connection is not None:
                self._close(connection)
                connection = None
            raise
        finally:
            places.put(connection)

    def close(self) -> None:
        """Close the idle connections."""
        places = self._places_of_this_process()
        taken: list[C | None] = []
        with suppress(queue.Empty):
            while True:
                taken.append(places.get_nowait())
        for connection in taken:
            if connection is not None:
                self._close(connection)
            places.put(None)

    def _places_of_this_process(self) -> queue.LifoQueue[C | None]:
        if self._process != os.getpid():
            # A forked child must neither use nor close its parent's connections. A reference keeps them open.
            self._inherited.append(self._places)
            self._start()
        return self._places

    def _start(self) -> None:
        self._process = os.getpid()
        # None stands for a connection that is not open yet.
        self._places: queue.LifoQueue[C | None] = queue.LifoQueue()
        for _ in range(MAX_OPEN_CONNECTIONS):
            self._places.put(None)
