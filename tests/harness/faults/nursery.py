"""Runs processes that answer a few requests like a container and are killed at a given step.

`python -m tests.harness.faults.nursery` loads code and networks once, then forks a process in milliseconds for
every line of its standard input.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from tests.e2e.api import form

ROOT = Path(__file__).parents[3]


class Request(NamedTuple):
    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    picture: bytes = b""


@dataclass(frozen=True)
class Life:
    """A process's reached steps, its answers, and whether it was killed."""

    steps: list[str]
    replies: list[tuple[int, Any]]
    killed: bool


class Nursery:
    """Starts processes; `environment` leads them to their stores."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.faults.nursery"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def live(self, environment: Mapping[str, str], *requests: Request, killed_at: int = 0) -> Life:
        """Answer requests in a new process, killed at a step of the first request, counted from 1."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = [(r.method, r.path, list(r.query), base64.b64encode(r.picture).decode()) for r in requests]
        order = {"environment": dict(environment), "requests": asked, "killed_at": killed_at}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        replies = [(status, body) for status, body in answer["replies"]]
        return Life(answer["steps"], replies, answer["killed"])


class _Steps:
    """Counts and reports the steps of a process, and kills the process at one of them."""

    def __init__(self, told: int, killed_at: int) -> None:
        self._told = told
        self._killed_at = killed_at
        self._count = 0
        self._lock = threading.Lock()
        self._doing = threading.local()
        self.counting = True

    def take(self, step: str) -> None:
        with self._lock:
            if not self.counting:
                return
            self._count += 1
            os.write(self._told, json.dumps({"step": step}).encode() + b"\n")
            if self._count == self._killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Count three steps for every call of a store: before it, when it is sent, and when it is answered."""
        self._watch_aws()
        self._watch_mysql()
        self._watch_sqlite()

    def _watch_aws(self) -> None:
        from botocore import httpsession
        from urllib3 import connection

        session_class: Any = httpsession.URLLib3Session
        connection_class: Any = connection.HTTPConnection
        send, getresponse = session_class.send, connection_class.getresponse

        def watched_send(session: Any, request: Any) -> Any:
            target = request.headers.get("X-Amz-Target", b"")
            target = target.decode() if isinstance(target, bytes) else target
            copy = " copy" if "x-amz-copy-source" in request.headers else ""
            self._doing.name = target.rpartition(".")[2] or f"{request.method}{copy}"
            self.take(f"before {self._doing.name}")
            response = send(session, request)
            self.take(f"after {self._doing.name}")
            return response

        def watched_getresponse(line: Any, *arguments: Any, **named: Any) -> Any:
            self.take(f"sent {getattr(self._doing, 'name', '')}")
            return getresponse(line, *arguments, **named)

        session_class.send = watched_send
        connection_class.getresponse = watched_getresponse

    def _watch_mysql(self) -> None:
        from pymysql.connections import Connection

        connection: Any = Connection
        execute, read = connection._execute_command, connection._read_query_result

        def watched_execute(given: Any, command: int, sql: Any) -> None:
            text = sql.decode("utf-8", "replace") if isinstance(sql, bytes) else str(sql)
            given.doing = " ".join(text.split()[:3])
            self.take(f"before {given.doing}")
            execute(given, command, sql)
            self.take(f"sent {given.doing}")

        def watched_read(given: Any, *arguments: Any, **named: Any) -> Any:
            result = read(given, *arguments, **named)
            self.take(f"after {given.doing}")
            return result

        connection._execute_command = watched_execute
        connection._read_query_result = watched_read

    def _watch_sqlite(self) -> None:
        from chalicelib.stores.database.sqlite import SQLiteDatabase

        database: Any = SQLiteDatabase
        statement = database.statement

        @contextmanager
        def watched(given: Any, sql: str) -> Iterator[str]:
            doing = " ".join(sql.split()[:3])
            self.take(f"before {doing}")
            with statement(given, sql) as dialect_sql:
                yield dialect_sql
            self.take(f"after {doing}")

        database.statement = watched


def _answer(order: Mapping[str, Any], told: int) -> None:
    from chalicelib import wiring
    from tests.e2e.lambda_api import LambdaApi

    os.environ.update(order["environment"])
    wiring.reset()
    steps = _Steps(told, order["killed_at"])
    steps.watch()
    api = LambdaApi()
    for method, path, query, picture in order["requests"]:
        content_type, body = form(("image_file", base64.b64decode(picture))) if picture else (None, None)
        reply = api.send(method, path, query, content_type, body)
        steps.counting = False
        os.write(told, json.dumps({"reply": [reply.status, reply.body]}).encode() + b"\n")


def _forked(order: Mapping[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            _answer(order, writing)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        lines = [json.loads(line) for line in pipe]
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or os.WEXITSTATUS(status) == 0, "a process failed; see the lines above"
    return {
        "steps": [line["step"] for line in lines if "step" in line],
        "replies": [line["reply"] for line in lines if "reply" in line],
        "killed": killed,
    }


def main() -> None:
    from chalicelib import wiring
    from chalicelib.stores.aws import sdk
    from chalicelib.vision.pack_folder import PackFolder
    from tests.e2e.lambda_api import LambdaApi

    # Load once what every process would otherwise load again: the SDK's data, the OpenAPI document, the networks.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    sdk.client("s3"), sdk.client("dynamodb"), LambdaApi().get("/health")
    loaded = wiring.model(PackFolder(ROOT / "models" / "build" / "current").own)
    vars(wiring)["model"] = lambda _: loaded
    for line in sys.stdin:
        sys.stdout.write(json.dumps(_forked(json.loads(line))) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
