"""What a client sends, for as long as it may take over it: a socket's own timeout begins anew with every byte."""

from __future__ import annotations

import io
import socket
import time
from typing import Any


class ArrivingBytes(io.RawIOBase):
    """Reads a connection until a deadline; `TimeoutError` after it.

    Attributes
    ----------
    ended
        Whether the client has said that nothing more comes.
    """

    def __init__(self, connection: socket.socket) -> None:
        self.ended = False
        self._connection = connection
        self._deadline = 0.0

    def allow(self, seconds: float) -> None:
        self._deadline = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        writing = self._connection.gettimeout()
        self._connection.settimeout(left)
        try:
            received = self._connection.recv_into(buffer)
        finally:
            self._connection.settimeout(writing)
        self.ended = received == 0
        return received
