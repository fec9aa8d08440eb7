"""moto's server with possible faults of DynamoDB, S3 and the network."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, NamedTuple

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

Environment = dict[str, Any]


class Answer(NamedTuple):
    status: str
    headers: list[tuple[str, str]]
    body: bytes


@dataclass
class Call:
    """One request on its way to moto."""

    environment: Environment
    body: bytes
    moto: Any
    over: threading.Event

    def answer(self, body: bytes | None = None) -> Answer:
        """Forward the request to moto."""
        given = self.body if body is None else body
        self.environment |= {"wsgi.input": BytesIO(given), "CONTENT_LENGTH": str(len(given))}
        self.environment.pop("HTTP_TRANSFER_ENCODING", None)
        started: list[Any] = []
        written = b"".join(self.moto(self.environment, lambda *given: started.extend(given[:2])))
        return Answer(started[0], started[1], written)

    def hang_up(self) -> Answer:
        with suppress(OSError):
            self.environment["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError


Fault = Callable[[Call], Answer]


def throttled(call: Call) -> Answer:
    """Refuse with a transient error, as DynamoDB or S3 does."""
    if "HTTP_X_AMZ_TARGET" in call.environment:
        kind = "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
        body = json.dumps({"__type": kind, "message": "too much"}).encode()
        return Answer("400 Bad Request", [("Content-Type", "application/x-amz-json-1.0")], body)
    return Answer("503 Slow Down", [("Content-Type", "application/xml")], _xml("SlowDown"))


def broken(call: Call) -> Answer:
    """Answer with an internal error."""
    if "HTTP_X_AMZ_TARGET" in call.environment:
        body = json.dumps({"__type": "com.amazonaws.dynamodb.v20120810#InternalServerError"}).encode()
        return Answer("500 Internal Server Error", [("Content-Type", "application/x-amz-json-1.0")], body)
    return Answer("500 Internal Server Error", [("Content-Type", "application/xml")], _xml("InternalError"))


def silent(call: Call) -> Answer:
    """Send no answer until the fault is over."""
    call.over.wait()
    return call.hang_up()


def slow(seconds: float) -> Fault:
    """Return a fault that delays every request."""

    def fault(call: Call) -> Answer:
        call.over.wait(seconds)
        return call.answer()

    return fault


def reset(call: Call) -> Answer:
    """Close the connection without carrying out the request."""
    return call.hang_up()


def lost(call: Call) -> Answer:
    """Carry out the request, and close the connection before the answer."""
    call.answer()
    return call.hang_up()


def cut_off(call: Call) -> Answer:
    """Close the connection in the middle of the answer."""
    answer = call.answer()
    headers = [pair for pair in answer.headers if pair[0].lower() != "content-length"]
    return Answer(
        answer.status, [*headers, ("Content-Length", str(len(answer.body) + 1))], answer.body[: len(answer.body) // 2]
    )


def half_done(call: Call) -> Answer:
    """Carry out only the first half of a batch of BatchWriteItem or DeleteObjects."""
    if "HTTP_X_AMZ_TARGET" in call.environment:
        asked = json.loads(call.body)
        [(table, items)] = asked["RequestItems"].items()
        middle = len(items) // 2
        if middle:
            call.answer(json.dumps(asked | {"RequestItems": {table: items[:middle]}}).encode())
        body = json.dumps({"UnprocessedItems": {table: items[middle:]}}).encode()
        return Answer("200 OK", [("Content-Type", "application/x-amz-json-1.0")], body)
    keys = re.findall(rb"<Object><Key>(.*?)</Key></Object>", call.body)
    left = keys[len(keys) // 2 :]
    kept = call.body
    for key in left:
        kept = kept.replace(b"<Object><Key>" + key + b"</Key></Object>", b"")
    if len(left) < len(keys):
        # The checksum was that of the whole body.
        for name in [name for name in call.environment if name.startswith(("HTTP_X_AMZ_CHECKSUM", "HTTP_CONTENT_MD5"))]:
            del call.environment[name]
        call.answer(kept)
    errors = b"".join(b"<Error><Key>" + key + b"</Key><Code>InternalError</Code></Error>" for key in left)
    return Answer("200 OK", [("Content-Type", "application/xml")], b"<DeleteResult>" + errors + b"</DeleteResult>")


@dataclass
class Rule:
    """A fault for requests with matching names: for all of them, or by number, counted from 1."""

    requests: str
    fault: Fault
    numbers: frozenset[int] | None = None
    seen: int = 0
    over: threading.Event = field(default_factory=threading.Event)


class FaultyAws:
    """Serves the stores of this process's moto servers on its own port."""

    def __init__(self) -> None:
        self._rules: list[Rule] = []
        self._lock = threading.Condition()
        self._busy = 0
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._serve, threaded=True, request_handler=_Handler)
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def fault(self, requests: str, fault: Fault, *numbers: int) -> Iterator[Rule]:
        """Apply a fault to requests with names, such as `dynamodb.GetItem` or `s3.PUT`, that match a pattern."""
        rule = Rule(requests, fault, frozenset(numbers) or None)
        with self._lock:
            self._rules.append(rule)
        try:
            yield rule
        finally:
            with self._lock:
                self._rules.remove(rule)
            rule.over.set()

    def wait_until_idle(self) -> None:
        """Wait until no request of a disconnected client is running."""
        with self._lock:
            self._lock.wait_for(lambda: self._busy == 0)

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _serve(self, environment: Environment, start: Any) -> Iterable[bytes]:
        with self._lock:
            self._busy += 1
        try:
            length = -1 if environment.get("wsgi.input_terminated") else int(environment.get("CONTENT_LENGTH") or 0)
            body = environment["wsgi.input"].read(length)
            rule = self._met(_name(environment))
            call = Call(environment, body, self._moto, rule.over if rule else threading.Event())
            answer = call.answer() if rule is None else rule.fault(call)
        finally:
            with self._lock:
                self._busy -= 1
                self._lock.notify_all()
        start(answer.status, answer.headers)
        return [answer.body]

    def _met(self, name: str) -> Rule | None:
        with self._lock:
            for rule in self._rules:
                if re.fullmatch(rule.requests, name):
                    rule.seen += 1
                    if rule.numbers is None or rule.seen in rule.numbers:
                        return rule
        return None


class _Handler(MotoRequestHandler):
    def log(self, *_: Any) -> None:
        """Log nothing, not even connections that a fault has ended."""

    def log_request(self, *_: Any) -> None: ...


def _name(environment: Environment) -> str:
    target = environment.get("HTTP_X_AMZ_TARGET")
    if target is not None:
        return f"dynamodb.{target.rpartition('.')[2]}"
    method = environment["REQUEST_METHOD"]
    if "HTTP_X_AMZ_COPY_SOURCE" in environment:
        return "s3.COPY"
    if method == "POST" and "delete" in environment.get("QUERY_STRING", ""):
        return "s3.DeleteObjects"
    if method == "GET" and "list-type" in environment.get("QUERY_STRING", ""):
        return "s3.LIST"
    return f"s3.{method}"


def _xml(code: str) -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
