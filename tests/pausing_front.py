"""A port in front of a MySQL server that behaves as Aurora Serverless does while it is paused and while it starts.

A paused database accepts connections, and says nothing until it has started.
"""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from types import TracebackType


class PausingFront:
    """`called` is set by the first connection; `start` lets all connections through, present and later ones."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.called = threading.Event()
        self._started = threading.Event()
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def start(self) -> None:
        self._started.set()

    def __enter__(self) -> PausingFront:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self._closed.set()
        self._started.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.called.set()
                self._threads.append(threading.Thread(target=self._serve, args=(client,), daemon=True))
                self._threads[-1].start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            self._started.wait()
            if self._closed.is_set():
                return
            with socket.create_connection(("127.0.0.1", self._target)) as server:
                other = {client: server, server: client}
                while not self._closed.is_set():
                    for ready in select.select(list(other), [], [], 0.1)[0]:
                        data = ready.recv(1 << 16)
                        if not data:
                            return
                        other[ready].sendall(data)
