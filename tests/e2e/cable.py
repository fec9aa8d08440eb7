"""A proxy to a server with connections that a test can cut."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Cable:
    """Listens on its own port and forwards each connection to another port of this machine, in both directions."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._ends: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listen(0)
        self.port = int(self._listener.getsockname()[1])

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Break all connections and refuse new ones; connect again after the block."""
        self.unplug()
        try:
            yield
        finally:
            self._listen(self.port)

    def unplug(self) -> None:
        # Closing alone would not wake the thread that waits in accept.
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        with self._lock:
            for end in self._ends:
                end.close()
            self._ends.clear()

    def _listen(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=64)
        self._thread = threading.Thread(target=self._accept, args=(self._listener,), daemon=True)
        self._thread.start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                here, _ = listener.accept()
                try:
                    there = socket.create_connection(("127.0.0.1", self._target))
                except OSError:  # no server listens there at the moment
                    here.close()
                    continue
                with self._lock:
                    self._ends += [here, there]
                for source, sink, forth in ((here, there, True), (there, here, False)):
                    threading.Thread(target=self._forward, args=(source, sink, forth), daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket, forth: bool) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self.carry(data, sink, forth=forth)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def carry(self, data: bytes, sink: socket.socket, *, forth: bool) -> None:  # noqa: ARG002  # for bad lines
        """Forward data to the server (`forth`) or back to the client."""
        sink.sendall(data)
