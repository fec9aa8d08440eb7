"""Reads a connection with one deadline for everything, because a socket's timeout restarts with every byte."""

from __future__ import annotations

import io
import socket
import time
from contextlib import suppress
from typing import Any


class ArrivingBytes(io.RawIOBase):
    """Reads a connection until a deadline, then raises `TimeoutError`.

    Attributes
    ----------
    begun
        Whether a byte has arrived since `allow`.
    ended
        Whether the client has closed its sending side.
    late
        Whether a read has failed because the deadline passed or `give_up` was called.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.begun = False
        self.ended = False
        self.late = False
        self._connection = connection
        self._deadline = 0.0
        self._given_up = False

    def allow(self, seconds: float) -> None:
        """Set the deadline to this many seconds from now."""
        self.begun = False
        self._deadline = time.monotonic() + seconds

    def give_up(self) -> None:
        """Make this and all later reads fail as late; called from another thread."""
        self._given_up = True
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RD)  # wakes the reading thread

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            received = self._receive(buffer)
        except TimeoutError:
            self.late = True
            raise
        self.begun = self.begun or received > 0
        self.ended = received == 0
        return received

    def _receive(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0 or self._given_up:
            raise TimeoutError
        writing = self._connection.gettimeout()
        self._connection.settimeout(left)
        try:
            received = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(writing)
        if received == 0 and self._given_up:
            raise TimeoutError
        return received
