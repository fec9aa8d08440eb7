"""Raw connections, for requests that no HTTP library would send."""

from __future__ import annotations

import json
import socket
from typing import Any

TIMEOUT_SECONDS = 30


class Connection:
    """One TCP connection to the service; use as a context manager."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS)
        self._received = self._socket.makefile("rb")

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._received.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def finish_sending(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def status(self) -> int:
        """Read a reply's head and return its status; store the headers in `headers`, by lower-case names."""
        line = self._received.readline().decode("latin-1")
        assert line.startswith("HTTP/1.1 "), line
        self.headers = {}
        while header := self._received.readline().decode("latin-1").strip():
            name, _, value = header.partition(":")
            self.headers[name.lower()] = value.strip()
        return int(line.split()[1])

    def body(self) -> Any:
        """Read the reply's body, after `status`."""
        return json.loads(self._received.read(int(self.headers["content-length"])))

    def is_closed(self) -> bool:
        """Return whether the server has closed the connection without sending more."""
        return self._received.read(1) == b""


def head(method: str, path: str, *headers: str) -> bytes:
    """Return a request line and headers."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", "")).encode("latin-1")
