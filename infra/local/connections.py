"""The local server's connections: how many there are, what they may hold of its memory, and how they end."""

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
# A process may open some 1,000 files.
MAX_CONNECTIONS = 256
# Of all bodies that arrive, wait for their turn or are worked on.
MAX_BODY_BYTES = 128 * 1024 * 1024
# How many requests are worked on at once. One with a body brings a picture, which takes some 100 MB and a core.
MAX_WITH_BODY = max(2, os.cpu_count() or 1)
MAX_WITHOUT_BODY = 16
# How long the rest of a refused body is received and forgotten.
LINGER_SECONDS = 2


class Server(ThreadedHTTPServer):
    """The listening socket, with a thread for each connection.

    When there are too many connections, or the bodies that arrive are too large in all, the client that the server has
    awaited longest has to go.

    Attributes
    ----------
    bound
        The name or address that it listens on.
    open_to_all
        The addresses that need no API key where deployed.
    """

    request_queue_size = BACKLOG
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.bound = str(arguments[0][0])
        self.open_to_all: set[str] = set()
        self._changed = threading.Condition()
        self._open: set[socket.socket] = set()
        # Those that a request is to come from, the longest awaited first.
        self._awaited: dict[ArrivingBytes, None] = {}
        self._working: set[ArrivingBytes] = set()
        # The bytes of each body that is held.
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
        """Note that a client's next request is awaited, and its last one done."""
        with self._changed:
            self._forget(client)
            self._awaited[client] = None

    def make_room(self, client: ArrivingBytes, body_bytes: int) -> None:
        """Return when a body may arrive."""
        with self._changed:
            while sum(self._bodies.values()) + body_bytes > MAX_BODY_BYTES:
                arriving = next((other for other in self._awaited if other in self._bodies), None)
                if arriving is None:
                    self._changed.wait()  # for one that is worked on
                else:
                    self._give_up(arriving)
            self._bodies[client] = body_bytes

    def works_for(self, client: ArrivingBytes) -> None:
        """Note that a client's request has arrived: from now on it is not hung up on."""
        with self._changed:
            self._awaited.pop(client, None)
            self._working.add(client)

    def is_done_with(self, client: ArrivingBytes) -> None:
        """Note that nothing more is awaited from a client or done for it."""
        with self._changed:
            self._forget(client)

    @contextmanager
    def turn(self, *, has_body: bool) -> Iterator[None]:
        """Wait until a request may be worked on, for the block."""
        with self._with_body if has_body else self._without_body:
            yield

    def finish(self, seconds: float, hurry: threading.Event) -> None:
        """Take no more connections, and wait until all requests that have arrived are answered, or until `hurry`."""
        self.server_close()
        end = time.monotonic() + seconds
        with self._changed:
            while self._working and time.monotonic() < end and not hurry.is_set():
                self._changed.wait(0.1)

    def shutdown_request(self, request: Any) -> None:
        """Receive what the client still sends: closing at once would reset the connection before it read its answer."""
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
        """A client that hangs up is no news; anything else is."""
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
