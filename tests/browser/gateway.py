"""Emulates API Gateway in front of the service, as a browser sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import requests

from chalicelib.api.openapi.failures import GATEWAY
from chalicelib.api.replies import failure
from chalicelib.errors import ServiceError, bad_argument, no_valid_token

# Headers of a connection, which a proxy does not forward.
HOP = {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding"}


def _refused(error: ServiceError) -> tuple[int, Mapping[str, str], bytes]:
    """Return the answer that the template configures API Gateway to send."""
    return error.status, {"Content-Type": "application/json"}, json.dumps(failure(error).body).encode()


class Gateway:
    """Forwards requests below a stage's path to the service.

    Parameters
    ----------
    service_url
        The service's address, without a trailing slash.
    key
        The required `x-api-key`, except for the pages and the OpenAPI document; None requires no key.
    token
        The required bearer token, likewise.
    """

    def __init__(self, service_url: str, key: str | None, token: str | None = None) -> None:
        self.key = key
        self.token = token
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        self._service_url = service_url
        self._busy: list[tuple[int, Mapping[str, str], str]] = []
        self._lock = Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/stage"
        self._thread = Thread(target=self._server.serve_forever, daemon=True)

    def answer_next(self, status: int, path: str, times: int, **headers: str) -> None:
        """Answer the next requests for a path with a status, without forwarding them."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._busy += [(status, named, path)] * times

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Mapping[str, str], bytes]:
        stage, _, below = path.removeprefix("/").partition("/")
        place = below.partition("?")[0]
        self.requests.append(f"{method} {place}")
        self.bodies.append(body)
        if stage.partition("?")[0] != "stage":
            return _refused(bad_argument("there is no such address", status=404))
        if (
            self.key is not None
            and place not in ("", "upload", "docs", "openapi.json")
            and headers.get("x-api-key") != self.key
        ):
            return _refused(next(error for error in GATEWAY if error.status == HTTPStatus.FORBIDDEN))
        bearer = {name.lower(): value for name, value in headers.items()}.get("authorization")
        if self.token is not None and place not in ("", "upload") and bearer != f"Bearer {self.token}":
            return _refused(no_valid_token())
        with self._lock:
            for answer in self._busy:
                if answer[2] == place:
                    self._busy.remove(answer)
                    return answer[0], answer[1], json.dumps({"message": "Too Many Requests"}).encode()
        kept = {name: value for name, value in headers.items() if name.lower() not in HOP}
        with requests.Session() as session:
            session.trust_env = False
            reply = session.request(
                method, f"{self._service_url}/{below}", headers=kept, data=body, timeout=60, allow_redirects=False
            )
            return reply.status_code, reply.headers, reply.content

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                status, headers, content = gateway._answer(self.command, self.path, dict(self.headers), body)
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in HOP:
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = _handle  # noqa: N815  # http.server's names

            def log_message(self, *_: object) -> None:
                """Log nothing."""

        return Handler


@contextmanager
def gateway(service_url: str, key: str | None = None, token: str | None = None) -> Iterator[Gateway]:
    running = Gateway(service_url, key, token)
    running.start()
    try:
        yield running
    finally:
        running.stop()
