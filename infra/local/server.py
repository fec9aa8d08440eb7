"""Hardens Chalice's local server.

Small replies go out without delay. Bodies, times and connections are limited, and pages of other origins are refused.
Requests that never reach a route get errors of the contract's shape.
"""

from __future__ import annotations

import io
import json
import logging
import re
import sys
import time
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from chalice.app import Chalice
from chalice.config import Config
from chalice.local import (
    ChaliceRequestHandler,
    CustomLocalChalice,
    ForbiddenError,
    LocalChalice,
    LocalDevServer,
    LocalGateway,
)

from chalicelib import errors
from chalicelib.api import replies
from chalicelib.api.routing import Service
from chalicelib.errors import ServiceError
from chalicelib.faces import TOKEN_LENGTH
from chalicelib.images import decoding
from infra.local import same_origin
from infra.local.arriving_bytes import ArrivingBytes
from infra.local.connections import Server

# API Gateway answers larger requests itself.
MAX_REQUEST_BYTES = 10 * 1024 * 1024
# For a request's head, including the wait for it; for its body; and for each part of the answer.
HEAD_TIMEOUT_SECONDS = 30
BODY_TIMEOUT_SECONDS = 60
WRITE_TIMEOUT_SECONDS = 30
# Enough for any body's length. int() fails from some thousands of digits on.
MAX_LENGTH_DIGITS = 18

_TOKEN = re.compile(rf"/[A-Za-z0-9]{{{TOKEN_LENGTH}}}(?=/|$)")
_PERSON = re.compile(r"(?<=/people/)[^/]+")
_NO_HEADER = (MissingHeaderBodySeparatorDefect, FirstHeaderLineIsContinuationDefect, MisplacedEnvelopeHeaderDefect)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_UNPRINTABLE = re.compile(r"[^ -~]")

log = logging.getLogger(__name__)


class InTurn:
    """Passes a request on once the server has a free slot. The slot is free again before the answer is sent."""

    def __init__(self, gateway: LocalGateway, server: Server) -> None:
        self._gateway = gateway
        self._server = server

    def handle_request(self, **request: Any) -> Any:
        with self._server.turn(has_body=request["body"] is not None):
            return self._gateway.handle_request(**request)


class Handler(ChaliceRequestHandler):
    """Handles the requests of one connection."""

    raw_requestline: bytes
    timeout = WRITE_TIMEOUT_SECONDS
    wbufsize = 64 * 1024
    disable_nagle_algorithm = True
    server_version, sys_version = "face-search", ""

    def setup(self) -> None:
        super().setup()
        self._arriving = ArrivingBytes(self.connection)
        self.rfile = io.BufferedReader(self._arriving)
        self.local_gateway = cast(LocalGateway, InTurn(self.local_gateway, self._server))

    def handle_one_request(self) -> None:
        self._status: int | None = None
        self.command = ""  # until the request line is read
        self._server.waits_for(self._arriving)
        self._arriving.allow(HEAD_TIMEOUT_SECONDS)
        super().handle_one_request()
        if self._arriving.late and self._arriving.begun and self._status is None:
            self.send_error(HTTPStatus.REQUEST_TIMEOUT)

    def finish(self) -> None:
        self._server.is_done_with(self._arriving)
        super().finish()

    def parse_request(self) -> bool:
        """Percent-encode the non-ASCII bytes of an address, which clients send as UTF-8.

        Refuse HTTP/0.9, which the base class accepts, and empty lines, which it drops silently.
        """
        if len(self.raw_requestline.split()) == 3:
            # The base class would read these bytes as Latin-1, where some are white space.
            self.raw_requestline = _NOT_ASCII.sub(lambda byte: b"%%%02X" % byte[0][0], self.raw_requestline)
            return bool(super().parse_request())
        self.command = ""
        self.send_error(HTTPStatus.BAD_REQUEST)
        return False

    def _generic_handle(self) -> None:
        started = time.perf_counter()
        try:
            self._check_head()
            super()._generic_handle()
        except ServiceError as error:
            self.close_connection = True
            self._refuse(error)
        except TimeoutError:
            self.close_connection = True
            if not self._arriving.late:  # the client did not read the answer in time
                raise
            self._refuse(errors.slow_upload())
        except ConnectionError:
            raise
        except Exception:
            log.exception("%s failed before reaching a route", self.command)
            self.close_connection = True
            self._refuse(errors.internal_error())
        self.wfile.flush()
        self._log(time.perf_counter() - started)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = do_PATCH = do_OPTIONS = _generic_handle

    def __getattr__(self, name: str) -> Any:
        """Pass every other method to the routes too: they know the methods that an address accepts."""
        if name.startswith("do_"):
            return self._generic_handle
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        """Check the head before a client sends its body: answer 100 to continue, or refuse at once."""
        try:
            self._check_head()
        except ServiceError as error:
            self.close_connection = True
            self._refuse(error)
            return False
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _check_head(self) -> None:
        # Refuse a head without its end; a line that is no header, because the parser skips every header after it; and
        # a folded line, because other parsers may read it as a separate header.
        cut_off, folded = self._arriving.ended, any("\n" in value for value in self.headers.values())
        twice = len(self.headers.get_all("host", ())) > 1
        if cut_off or folded or twice or any(isinstance(defect, _NO_HEADER) for defect in self.headers.defects):
            raise errors.bad_argument("the request cannot be read")
        self._check_sender()
        length = self.headers.get("content-length")
        if "transfer-encoding" in self.headers:
            raise ServiceError("1005", HTTPStatus.LENGTH_REQUIRED, "the body must come with its Content-Length")
        if len(self.headers.get_all("content-length", ())) > 1:
            raise errors.upload_error("Content-Length is given more than once")
        if length is not None and not (length.isascii() and length.isdigit()):
            raise errors.upload_error("Content-Length is not a number")
        if length is not None and (len(length) > MAX_LENGTH_DIGITS or int(length) > MAX_REQUEST_BYTES):
            raise decoding.too_many_bytes()

    def _check_sender(self) -> None:
        same_origin.check_host(self.headers.get("host"), self._server.bound)
        path = self.path.partition("?")[0]
        if self.command != "OPTIONS" and path not in self._server.open_to_all:
            same_origin.check_origin(self.headers)

    def _parse_payload(self) -> tuple[dict[str, str], bytes | None]:
        if length := int(self.headers.get("content-length", "0")):
            self._server.make_room(self._arriving, length)
        self._arriving.allow(BODY_TIMEOUT_SECONDS)
        headers, body = super()._parse_payload()
        if body is not None and len(body) < length:
            raise errors.upload_error("the body is cut off")
        self._server.works_for(self._arriving)
        # Chalice repeats `Authorization` in its reply to an unknown address, and fails on some bytes. Nothing reads it.
        return {name: value for name, value in headers.items() if name.lower() != "authorization"}, body

    def _send_error_response(self, error: Any) -> None:
        """Answer 404 for an unknown address, the one failure that Chalice answers before a route, with a 403."""
        if isinstance(error, ForbiddenError):
            self._refuse(errors.bad_argument("there is no such address", status=404))
        else:
            super()._send_error_response(error)

    def send_error(self, code: int, *_: Any, **__: Any) -> None:
        """Send the contract's error when http.server cannot read a request."""
        self.close_connection = True
        self.request_version = self.protocol_version  # http.server answers HTTP/0.9 without a head
        status = code if code < HTTPStatus.INTERNAL_SERVER_ERROR else HTTPStatus.BAD_REQUEST
        detail = "the request did not arrive in time" if self._arriving.late else "the request cannot be read"
        self._refuse(errors.bad_argument(detail, status=status))

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
        """Do nothing: `_log` logs requests without the query string, tokens and names, which are private."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Do nothing: the base class's message would repeat the request line."""

    @property
    def _server(self) -> Server:
        return cast(Server, self.server)

    def _log(self, seconds: float) -> None:
        path = _PERSON.sub("{person}", self.path.partition("?")[0])
        path = _TOKEN.sub("/{face_token}", unquote(path))
        request = _UNPRINTABLE.sub("?", f"{self.command} {path}")  # a terminal would obey control characters
        print(f"{request} {self._status} {seconds * 1000:.0f} ms", file=sys.stderr, flush=True)


def make_server(app: Chalice, host: str, port: int) -> LocalDevServer:
    """Bind the app to a port; `serve_forever` then serves each connection on its own thread."""
    # As in chalice.local.create_local_server: each thread then has its own current request.
    CustomLocalChalice.__bases__ = (LocalChalice, app.__class__)
    app.__class__ = CustomLocalChalice
    cast(Service, app).keeps_head_bodies = True  # `Handler` sends their length and omits the bodies
    config = Config.create(project_dir=str(Path.cwd()), chalice_stage="local")
    made = LocalDevServer(app, config, host, port, handler_cls=Handler, server_cls=Server)
    made.server.open_to_all = {
        path for path, methods in app.routes.items() if "GET" in methods and not methods["GET"].api_key_required
    }
    return made
