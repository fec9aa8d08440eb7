"""The function that tests a new version for CodeDeploy: the real app, with a stand-in for Lambda and CodeDeploy."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import pytest

import app
from chalicelib.release import smoke_test
from tests.e2e.lambda_api import context

VERSION = "arn:aws:lambda:eu-central-1:123456789012:function:face-search-dev-APIHandler-ABC:7"
EVENT = {"DeploymentId": "d-ABC", "LifecycleEventHookExecutionId": "execution"}


class Aws(ThreadingHTTPServer):
    """Invokes the app for Lambda, and records what CodeDeploy is sent."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.verdicts: list[dict[str, Any]] = []
        # In place of the app's answer: a status of HTTP, headers and a body.
        self.answer: tuple[int, dict[str, str], Any] | None = None


class Handler(BaseHTTPRequestHandler):
    server: Aws

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, headers, answer = 200, dict[str, str](), dict[str, Any]()
        if "X-Amz-Target" in self.headers:
            assert self.headers["X-Amz-Target"] == "CodeDeploy_20141006.PutLifecycleEventHookExecutionStatus"
            self.server.verdicts.append(body)
        else:
            assert unquote(self.path) == f"/2015-03-31/functions/{VERSION}/invocations"
            status, headers, answer = self.server.answer or (200, {}, app.app(body, context()))
        content = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    with Aws() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "test")
        monkeypatch.setenv("NEW_VERSION", VERSION)
        yield server
        server.shutdown()
        serving.join()


def verdict(status: str) -> list[dict[str, str]]:
    sent = {"deploymentId": "d-ABC", "lifecycleEventHookExecutionId": "execution", "status": status}
    return [sent]


def test_a_version_that_answers_passes(aws: Aws) -> None:
    assert smoke_test.check(EVENT, None) == "Succeeded"

    assert aws.verdicts == verdict("Succeeded")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((200, {"X-Amz-Function-Error": "Unhandled"}, {"errorType": "ImportError"}), "ended with ImportError"),
        ((200, {}, {"statusCode": 500, "body": "{}"}), "was answered with the status 500"),
        ((200, {}, None), "was answered with the status None"),
        ((403, {"X-Amzn-ErrorType": "AccessDeniedException"}, {}), "the invocation failed: ClientError"),
    ],
)
def test_a_version_that_does_not_answer_fails(
    aws: Aws, caplog: pytest.LogCaptureFixture, answer: tuple[int, dict[str, str], Any], reason: str
) -> None:
    aws.answer = answer

    assert smoke_test.check(EVENT, None) == "Failed"

    assert aws.verdicts == verdict("Failed")
    assert reason in caplog.text
