"""Chalice's local server with the manners of a real one: no delay on small replies, bounded bodies, timeouts, and the
contract's error shape for what never reaches a route.
"""

from __future__ import annotations

import json
import logging
import re
import socket
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ChaliceRequestHandler,
    CustomLocalChalice,
    ForbiddenError,
    LocalChalice,
    LocalDevServer,
    ThreadedHTTPServer,
)

from chalicelib import errors, images, replies
from chalicelib.errors import ServiceError
from chalicelib.faces import TOKEN_LENGTH

# What API Gateway takes before it answers by itself.
MAX_REQUEST_BYTES = 10 * 1024 * 1024
IDLE_TIMEOUT_SECONDS = 30
# How long the rest of a refused body is received and forgotten.
LINGER_SECONDS = 2
BACKLOG = 256
# More digits than any body has bytes; int() itself refuses some thousand of them.
MAX_LENGTH_DIGITS = 18

_TOKEN = re.compile(rf"/[A-Za-z0-9]{{{TOKEN_LENGTH}}}(?=/|$)")

log = logging.getLogger(__name__)


class Handler(ChaliceRequestHandler):
    """One connection."""

    timeout = IDLE_TIMEOUT_SECONDS
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server_version, sys_version = "face-search", ""

    def _generic_handle(self) -> None:
        started = time.perf_counter()
        try:
            self._check_length()
            super()._generic_handle()
        except ServiceError as error:
            self.close_connection = True
            self._refuse(error)
        except TimeoutError:
            self.close_connection = True
            self._refuse(errors.upload_error("the body did not arrive in time"))
        except ConnectionError:
            raise
        except Exception:
            log.exception("%s failed before it reached a route", self.command)
            self.close_connection = True
            self._refuse(errors.internal_error())
        self.wfile.flush()
        self._log(time.perf_counter() - started)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _generic_handle

    def handle_expect_100(self) -> bool:
        """Answer a client that waits with its body until it is told to send it, or that it need not."""
        try:
            self._check_length()
        except ServiceError as error:
            self.close_connection = True
            self._refuse(error)
            return False
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _check_length(self) -> None:
        length = self.headers.get("content-length")
        if "transfer-encoding" in self.headers or (length is None and self._announces_body()):
            raise ServiceError("1005", HTTPStatus.LENGTH_REQUIRED, "the body must come with its Content-Length")
        if length is not None and not (length.isascii() and length.isdigit()):
            raise errors.upload_error("Content-Length is not a number")
        if length is not None and (len(length) > MAX_LENGTH_DIGITS or int(length) > MAX_REQUEST_BYTES):
            raise images.too_many_bytes()

    def _announces_body(self) -> bool:
        return self.command in ("POST", "PUT", "PATCH") and "content-type" in self.headers

    def _parse_payload(self) -> tuple[dict[str, str], bytes | None]:
        headers, body = super()._parse_payload()
        if body is not None and len(body) < int(self.headers["content-length"]):
            raise errors.upload_error("the body is cut off")
        return headers, body

    def _send_error_response(self, error: Any) -> None:
        """Chalice knows one failure before a route is called: no route. API Gateway's 403 for it helps nobody."""
        if isinstance(error, ForbiddenError):
            self._refuse(errors.bad_argument("there is no such address", status=404))
        else:
            super()._send_error_response(error)

    def send_error(self, code: int, *_: Any, **__: Any) -> None:
        """What http.server refuses by itself: a method that it does not know, and what it cannot read."""
        self.close_connection = True
        if code == HTTPStatus.NOT_IMPLEMENTED:
            self._refuse(errors.bad_argument("this address does not take that method", status=405))
        else:
            self._refuse(errors.bad_argument("the request cannot be read", status=code))

    def _refuse(self, error: ServiceError) -> None:
        reply = replies.failure(error)
        headers = {**reply.headers, "Connection": "close"} if self.close_connection else dict(reply.headers)
        self._send_http_response(reply.status_code, headers, json.dumps(reply.body))

    def _send_http_response_with_body(self, code: int, headers: dict[str, Any], body: str | bytes) -> None:
        data = body if isinstance(body, bytes) else body.encode("utf-8")
        self.send_response(code)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Type", headers.pop("Content-Type", "application/json"))
        self._send_headers(headers)
        if self.command != "HEAD":
            self.wfile.write(data)

    def send_response(self, code: int, message: str | None = None) -> None:
        self._status = code
        super().send_response(code, message)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Replaced by `_log`, which leaves the query string and tokens out: they are nobody's business."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Silent: what it would say repeats the request line."""

    def _log(self, seconds: float) -> None:
        path = _TOKEN.sub("/{face_token}", self.path.partition("?")[0])
        print(f"{self.command} {path} {self._status} {seconds * 1000:.0f} ms", file=sys.stderr, flush=True)


class Server(ThreadedHTTPServer):
    """The listening socket."""

    request_queue_size = BACKLOG
    allow_reuse_address = True

    def shutdown_request(self, request: Any) -> None:
        """Receive what the client still sends: closing at once would reset the connection before it read its answer."""
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(LINGER_SECONDS)
            end = time.monotonic() + LINGER_SECONDS
            while time.monotonic() < end and request.recv(65536):
                pass
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; anything else is."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


def make_server(app: Chalice, host: str, port: int) -> LocalDevServer:
    """Bind the app to a port; `serve_forever` serves, each connection on a thread of its own."""
    # As chalice.local.create_local_server does: each thread then has its own current request.
    CustomLocalChalice.__bases__ = (LocalChalice, app.__class__)
    app.__class__ = CustomLocalChalice
    config = Config.create(project_dir=str(Path.cwd()), chalice_stage="local")
    return LocalDevServer(app, config, host, port, handler_cls=Handler, server_cls=Server)
