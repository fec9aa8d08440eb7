"""Every hostile request gets a contract error other than 500, and the service answers the next request.

`python -m tests.harness.hostile.requests` sends more of them.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from chalice.app import (
    BadRequestError,
    ChaliceViewError,
    ConflictError,
    ForbiddenError,
    MethodNotAllowedError,
    NotFoundError,
    TooManyRequestsError,
    UnauthorizedError,
)

from chalicelib.api.routing import Service, complete_headers, keep_error_shape
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.lambda_api import LambdaApi, event
from tests.e2e.local_stack import LocalStack
from tests.e2e.raw_http import Connection, head
from tests.e2e.refusals import bad_argument, upload_error
from tests.harness.hostile.requests.answers import Answer, faults
from tests.harness.hostile.requests.attacking import attack_function, attack_server

COUNT = 280
EVENTS = 140
SEED = 20261126

AT_REFUSED = {"resourcePath": "/refused", "httpMethod": "GET"}
UNREADABLE = bad_argument("the request cannot be read")


def answered(reply: dict[str, Any]) -> Answer:
    headers = {name.lower(): value for name, value in reply["headers"].items()}
    return Answer(reply["statusCode"], {"content-type": "application/json", **headers}, reply["body"].encode())


def test_the_local_server(sqlite_stack: LocalStack, sqlite_api: HttpApi) -> None:
    logged = len(sqlite_stack.log)

    outcome = attack_server(sqlite_stack.port, sqlite_api.added(pictures.drawing(), "Ada"), count=COUNT, seed=SEED)

    assert (outcome.requests, outcome.failures) == (COUNT, [])
    assert {200, 400, 404, 405, 411, 413, 414, 431} <= outcome.statuses.keys()
    assert "Traceback" not in sqlite_stack.log[logged:]
    assert "\x1b" not in sqlite_stack.log[logged:]


def test_the_function(observed_api: LambdaApi) -> None:
    outcome = attack_function(
        observed_api.handle, observed_api.added(pictures.drawing(), "Ada"), count=EVENTS, seed=SEED
    )

    assert (outcome.requests, outcome.failures) == (EVENTS, [])
    assert {200, 400, 404, 405, 415} <= outcome.statuses.keys()


class TestFraming:
    @pytest.mark.parametrize(
        ("sent", "detail"),
        [
            (b"GET /health\r\n\r\n", UNREADABLE),
            (b"\r\n", UNREADABLE),
            (head("GET", "/health", "name : value"), UNREADABLE),
            (head("GET", "/health", "X: a", " Transfer-Encoding: chunked"), UNREADABLE),
            (head("GET", "/health", "X: a", "no header", "Content-Length: 5"), UNREADABLE),
            (b"GET /health HTTP/1.1\r\nHost: localhost\r\n", UNREADABLE),
            (b"GET /health HTTP/2.0\r\n\r\n", UNREADABLE),
            (
                head("GET", "/health", "Content-Length: 0", "Content-Length: 5"),
                upload_error("Content-Length is given more than once"),
            ),
        ],
    )
    def test_ambiguous_requests_are_refused(
        self, sqlite_stack: LocalStack, sent: bytes, detail: dict[str, Any]
    ) -> None:
        with Connection(sqlite_stack.port) as connection:
            connection.send(sent)
            connection.finish_sending()

            assert (connection.status(), connection.body()) == (400, detail)
            assert connection.is_closed()

    def test_the_log_contains_no_terminal_escapes(self, sqlite_stack: LocalStack) -> None:
        with Connection(sqlite_stack.port) as connection:
            connection.send(head("B\x1b[2JREW", "/health\x1b]0;title\x07", "Connection: close"))

            assert connection.status() == 404
            assert connection.body() == bad_argument("there is no such address")
            assert connection.is_closed()
        assert "B?[2JREW /health?]0;title? 404" in sqlite_stack.log


class TestEvents:
    """Events that API Gateway never sends, but that any caller of the function may send."""

    FORM = event("POST", "/detect", [], {"Content-Type": "multipart/form-data; boundary=b"}, b"--b--")

    @pytest.mark.parametrize(
        ("sent", "status", "body"),
        [
            ({}, 400, UNREADABLE),
            (None, 400, UNREADABLE),
            ({"Records": []}, 400, UNREADABLE),
            ({**FORM, "requestContext": None}, 400, UNREADABLE),
            ({**FORM, "headers": {"Content-Type": None}}, 400, UNREADABLE),
            ({**FORM, "multiValueQueryStringParameters": {"face_token": None}}, 400, UNREADABLE),
            ({**FORM, "body": 5}, 400, UNREADABLE),
            ({**FORM, "body": "=a"}, 400, upload_error("the body cannot be read")),
            ({**FORM, "body": "\ud800", "isBase64Encoded": False}, 400, upload_error("the body cannot be read")),
            (
                {**FORM, "body": base64.b64encode(b"\xff\xfe").decode()},
                400,
                upload_error("the multipart body is malformed or cut off"),
            ),
            (event("GET", "/nothing", [], {}, None), 404, bad_argument("there is no such address")),
            ({**event("GET", "/faces/a", [], {}, None), "pathParameters": None}, 400, UNREADABLE),
        ],
    )
    def test_an_incomplete_event(self, sent: Any, status: int, body: dict[str, Any]) -> None:
        reply = LambdaApi().handle(sent)

        assert reply["statusCode"] == status
        assert faults(answered(reply)) == []
        assert LambdaApi().handle(event("GET", "/health", [], {}, None))["statusCode"] == 200
        assert json.loads(reply["body"]) == body

    @pytest.mark.parametrize(
        "missing", ["headers", "multiValueQueryStringParameters", "pathParameters", "stageVariables", "body"]
    )
    def test_a_field_that_may_be_null_may_be_absent_or_empty(self, missing: str) -> None:
        whole = event("GET", "/openapi.json", [], {}, None)

        empties: tuple[Any, ...] = (0, "", [], {})
        for empty in empties:
            assert LambdaApi().handle({**whole, missing: empty})["statusCode"] == 200
        del whole[missing]
        assert LambdaApi().handle(whole)["statusCode"] == 200


class TestWhatChaliceAnswers:
    """Errors of Chalice itself, most of which the service's own routes never cause."""

    @pytest.fixture
    def app(self) -> Service:
        made = Service(app_name="refusing", configure_logs=False)
        made.register_middleware(complete_headers, "http")
        made.register_middleware(keep_error_shape, "http")
        return made

    @pytest.mark.parametrize(
        ("error", "status", "code"),
        [
            (BadRequestError, 400, "1001"),
            (UnauthorizedError, 401, "1001"),
            (ForbiddenError, 403, "1001"),
            (NotFoundError, 404, "1001"),
            (MethodNotAllowedError, 405, "1001"),
            (ConflictError, 409, "1001"),
            (TooManyRequestsError, 429, "1001"),
        ],
    )
    def test_an_error_of_chalice_itself(
        self, app: Service, error: type[ChaliceViewError], status: int, code: str
    ) -> None:
        @app.route("/refused")
        def refused() -> None:
            raise error("in Chalice's words")

        reply = app({**event("GET", "/refused", [], {}, None), "requestContext": AT_REFUSED}, None)

        assert reply["statusCode"] == status
        assert json.loads(reply["body"])["error_code"] == code
        assert faults(answered(reply)) == []
        assert "Chalice" not in reply["body"]

    def test_an_unsupported_content_type_is_not_a_form(self, app: Service) -> None:
        app.route("/refused")(dict)
        sent = event("GET", "/refused", [], {"Content-Type": "text/plain"}, None)

        reply = app({**sent, "requestContext": AT_REFUSED}, None)

        assert (reply["statusCode"], json.loads(reply["body"])["error_code"]) == (400, "1005")
        assert faults(answered(reply)) == []
