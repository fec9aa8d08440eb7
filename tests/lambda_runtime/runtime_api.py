"""A small server of the API through which Lambda sends invocations to a runtime and receives the replies.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import uuid4

VERSION = "/2018-06-01/runtime"
FUNCTION_ARN = "arn:aws:lambda:eu-central-1:123456789012:function:face-search-api"


class FunctionError(Exception):
    """The function or its initialisation failed. `report` is the object that the runtime reported."""

    def __init__(self, report: dict[str, Any]) -> None:
        super().__init__(f"{report.get('errorType')}: {report.get('errorMessage')}")
        self.report = report


class RuntimeApi:
    """Serves one runtime on `address`, from `start` to `close`.

    `initialised` completes when the runtime first requests an invocation, with that moment by `time.perf_counter`. It
    fails with a FunctionError if the runtime reports that initialisation failed. With snapshots, `snapshot` completes
    when the runtime is ready for one, and the runtime continues once `restored` is set.
    """

    def __init__(self) -> None:
        self.initialised: Future[float] = Future()
        self.snapshot: Future[None] = Future()
        self.restored = threading.Event()
        self._waiting: queue.Queue[tuple[str, int, bytes] | None] = queue.Queue()
        self._answers: dict[str, Future[Any]] = {}
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_port}"

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self.restored.set()
        self._waiting.put(None)
        self._server.shutdown()
        self._server.server_close()

    def invoke(self, event: Any, seconds: float) -> Future[Any]:
        """Send an event to the runtime with a time limit in seconds, and return a future of the JSON it replies with.

        The future fails with a FunctionError if the runtime reports one.
        """
        request, answer = str(uuid4()), Future[Any]()
        self._answers[request] = answer
        self._waiting.put((request, int((time.time() + seconds) * 1000), json.dumps(event).encode()))
        return answer

    def next(self) -> tuple[str, int, bytes] | None:
        """Wait for the next invocation: id, deadline in milliseconds since 1970, event. Return None at the end."""
        if not self.initialised.done():
            self.initialised.set_result(time.perf_counter())
        return self._waiting.get()

    def told(self, path: str, body: bytes) -> None:
        """Receive a post of the runtime: a reply or error of an invocation, or an error of the initialisation."""
        *_, request, kind = path.split("/")
        future: Future[Any] = self.initialised if request == "init" else self._answers.pop(request)
        if kind == "error":
            future.set_exception(FunctionError(json.loads(body)))
        else:
            future.set_result(json.loads(body))


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore connection errors from a runtime that was killed while it waited."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(api: RuntimeApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            if self.path == f"{VERSION}/restore/next":
                api.snapshot.set_result(None)
                api.restored.wait()
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            assert self.path == f"{VERSION}/invocation/next"
            invocation = api.next()
            if invocation is None:
                self.close_connection = True
                return
            request, deadline, event = invocation
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(event)))
            self.send_header("Lambda-Runtime-Aws-Request-Id", request)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(deadline))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", FUNCTION_ARN)
            self.send_header("Lambda-Runtime-Trace-Id", f"Root=1-{int(time.time()):x}-{uuid4().hex[:24]};Sampled=0")
            self.end_headers()
            self.wfile.write(event)

        def do_POST(self) -> None:
            body = self._body()
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            api.told(self.path, body)

        def _body(self) -> bytes:
            """Read the request's body. The runtime client sends errors in chunks."""
            if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", "0")))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # http.server's name
            pass

    return Handler
