"""Limits the local server's connections, requests and memory, and closes its connections."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from chalice.local import ThreadedHTTPServer

from infra.local.arriving_bytes import ArrivingBytes

BACKLOG = 256
# A process may open about 1,000 files.
MAX_CONNECTIONS = 256
# For all bodies together that are arriving, waiting for their turn or being processed.
MAX_BODY_BYTES = 128 * 1024 * 1024
# How many requests are processed at once. A request with a body has a picture, which takes about 100 MB and one core.
MAX_WITH_BODY = max(2, os.cpu_count() or 1)
MAX_WITHOUT_BODY = 16
# How long the rest of a refused body is received and discarded.
LINGER_SECONDS = 2


class Server(ThreadedHTTPServer):
    """A listening socket, with a thread for each connection.

    With too many connections, or too many bytes of bodies, the server drops the client that it has waited for longest.

    Attributes
    ----------
    bound
        The host name or address that the server listens on.
    open_to_all
        The paths that need no API key when deployed.
    """

    request_queue_size = BACKLOG
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.bound = str(arguments[0][0])
        self.open_to_all: set[str] = set()
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        # Clients that have not yet sent their whole request, longest wait first.
        self._awaited: dict[ArrivingBytes, None] = {}
        self._working: set[ArrivingBytes] = set()
        # The size in bytes of each client's body in memory.
        self._bodies: dict[ArrivingBytes, int] = {}
        self._with_body = threading.Semaphore(MAX_WITH_BODY)
        self._without_body = threading.Semaphore(MAX_WITHOUT_BODY)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._changed:
            self._open.add(request)
            if len(self._open) > MAX_CONNECTIONS and self._awaited:
                self._give_up(next(iter(self._awaited)))
        super().process_request(request, client_address)

    def waits_for(self, client: ArrivingBytes) -> None:
        """Record that the client's last request is done and its next one is awaited."""
        with self._changed:
            self._forget(client)
            self._awaited[client] = None

    def make_room(self, client: ArrivingBytes, body_bytes: int) -> None:
        """Wait until there is memory for a body; drop clients that are still sending theirs, longest wait first."""
        with self._changed:
            while sum(self._bodies.values()) + body_bytes > MAX_BODY_BYTES:
                arriving = next((other for other in self._awaited if other in self._bodies), None)
                if arriving is None:
                    self._changed.wait()  # until a request in progress ends
                else:
                    self._give_up(arriving)
            self._bodies[client] = body_bytes

    def works_for(self, client: ArrivingBytes) -> None:
        """Record that the client's request has arrived: from now on its connection is never dropped."""
        with self._changed:
            self._awaited.pop(client, None)
            self._working.add(client)

    def is_done_with(self, client: ArrivingBytes) -> None:
        """Record that the client has no request left, neither awaited nor in progress."""
        with self._changed:
            self._forget(client)

    @contextmanager
    def turn(self, *, has_body: bool) -> Iterator[None]:
        """Wait for a free processing slot, and hold it for the block."""
        with self._with_body if has_body else self._without_body:
            yield

    def finish(self, seconds: float, hurry: threading.Event) -> None:
        """Accept no more connections; wait for running requests, at most `seconds` or until `hurry` is set."""
        self.server_close()
        end = time.monotonic() + seconds
        with self._changed:
            while self._working and time.monotonic() < end and not hurry.is_set():
                self._changed.wait(0.1)

    def shutdown_request(self, request: Any) -> None:
        """Receive the rest of the client's data, because closing at once could reset the connection.

        After a reset the client could not read its answer.
        """
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(LINGER_SECONDS)
            end = time.monotonic() + LINGER_SECONDS
            while time.monotonic() < end and request.recv(65536):
                pass
        with self._changed:
            self._open.discard(request)
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report any error except a client's closed or timed-out connection."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    def _give_up(self, client: ArrivingBytes) -> None:
        self._forget(client)
        client.give_up()

    def _forget(self, client: ArrivingBytes) -> None:
        self._awaited.pop(client, None)
        self._working.discard(client)
        self._bodies.pop(client, None)
        self._changed.notify_all()
