"""A server that returns prepared replies, for cases that the service cannot be made to produce."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = tuple[int, Mapping[str, str], Any]
"""Status, headers and body. The body is text, or a value to send as JSON."""


@dataclass
class Request:
    at: float
    headers: Mapping[str, str]


@dataclass
class ScriptedServer:
    url: str
    requests: list[Request] = field(default_factory=list)


@contextmanager
def scripted_server(*answers: Answer) -> Iterator[ScriptedServer]:
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            scripted.requests.append(Request(time.monotonic(), dict(self.headers)))
            status, headers, body = left.pop(0)
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    scripted = ScriptedServer(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield scripted
    finally:
        server.shutdown()
        server.server_close()
