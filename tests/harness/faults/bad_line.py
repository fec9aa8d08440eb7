"""A proxy to a MySQL server that can be slow or silent, or break at a given statement."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.e2e.cable import Cable


class BadLine(Cable):
    def __init__(self, target: int) -> None:
        self._delay = 0.0
        self._heard = threading.Event()
        self._heard.set()
        self._trigger: tuple[bytes, bool, Callable[[], None]] | None = None
        super().__init__(target)

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Delay every answer by a number of seconds."""
        self._delay = seconds
        try:
            yield
        finally:
            self._delay = 0.0

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Hold back all data until the block ends, then deliver it to connections that are still open."""
        self._heard.clear()
        try:
            yield
        finally:
            self._heard.set()

    @contextmanager
    def at(self, statement: bytes, act: Callable[[], None], *, answered: bool = False) -> Iterator[None]:
        """Act once, before a statement reaches the server or before its answer comes back."""
        self._trigger = (statement, answered, act)
        try:
            yield
            assert self._trigger is None, f"{statement.decode()} never came"
        finally:
            self._trigger = None

    def carry(self, data: bytes, sink: socket.socket, *, forth: bool) -> None:
        trigger = self._trigger
        if trigger is not None:
            statement, answered, act = trigger
            if forth and statement in data:
                self._trigger = (b"", True, act) if answered else None
                if not answered:
                    act()
            elif not forth and answered and not statement:
                self._trigger = None
                act()
        if not forth:
            time.sleep(self._delay)
        self._heard.wait()
        super().carry(data, sink, forth=forth)

    def break_all(self) -> None:
        """Break all connections; new connections succeed at once."""
        with self._lock:
            for end in self._ends:
                end.shutdown(socket.SHUT_RDWR)
            self._ends.clear()
