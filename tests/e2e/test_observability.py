"""On Lambda, each invocation and each log record writes one JSON line with the invocation's ids."""

from __future__ import annotations

import logging
import re
import time
from datetime import UTC, datetime

import pymysql
import pytest
from botocore.exceptions import ClientError
from chalice.app import RestAPIEventHandler

import app
from chalicelib import wiring
from chalicelib.errors import ServiceError
from chalicelib.maintenance import operations
from chalicelib.settings import SettingsError
from chalicelib.telemetry import logs
from tests.e2e import pictures
from tests.e2e.invocation_log import lines, messages
from tests.e2e.lambda_api import LambdaApi, context
from tests.e2e.observed_lambda import FUNCTION, TRACE


@pytest.fixture
def api(observed_api: LambdaApi) -> LambdaApi:
    return observed_api


class TestRequests:
    def test_a_request_is_one_line_with_its_ids(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        began = time.perf_counter()
        api.get("/health")
        most = (time.perf_counter() - began) * 1000

        [line] = messages(capsys.readouterr().out)
        assert (line["level"], line["message"], line["service"]) == ("INFO", "answered", "face-search")
        assert (line["route"], line["status"]) == ("GET /health", 200)
        assert 0 <= line["duration_ms"] < most + 0.1  # rounded
        assert re.fullmatch(r"[0-9a-f-]{36}", line["request_id"])
        assert re.fullmatch(r"[0-9a-f-]{36}", line["function_request_id"])
        assert line["request_id"] != line["function_request_id"]
        assert line["xray_trace_id"] == TRACE
        assert abs(datetime.fromisoformat(line["timestamp"]) - datetime.now(UTC)).total_seconds() < 60
        assert "error_code" not in line

    @pytest.mark.parametrize(
        ("method", "path", "route", "status", "code"),
        [
            ("GET", "/removeface", "GET /removeface", 400, "1002"),
            ("POST", "/info", "POST /info", 405, "1001"),
            ("GET", "/search", "GET /search", 400, "1002"),
        ],
    )
    def test_a_refusal_is_logged_with_its_code(
        self,
        api: LambdaApi,
        capsys: pytest.CaptureFixture[str],
        method: str,
        path: str,
        route: str,
        status: int,
        code: str,
    ) -> None:
        api.send(method, path)

        [line] = messages(capsys.readouterr().out)
        assert (line["route"], line["status"], line["error_code"]) == (route, status, code)

    def test_log_records_have_the_requests_ids(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Records of the service's modules and of other packages, also from threads, appear once each."""
        monkeypatch.setattr(wiring.wiring().crops, "_bucket", "no-such-bucket")

        assert api.post("/detect", image_file=pictures.two_faces()).status == 500

        *failures, answered = messages(capsys.readouterr().out)
        assert {line["message"] for line in failures} == {"PutObject failed: NoSuchBucket, status 404"}
        assert 1 <= len(failures) <= 2
        assert {line["level"] for line in failures} == {"ERROR"}
        assert {line["location"].partition(":")[0] for line in failures} == {"chalicelib.stores.aws.sdk"}
        assert {line["request_id"] for line in failures} == {answered["request_id"]}
        assert {line["route"] for line in failures} == {"POST /detect"}
        assert (answered["status"], answered["error_code"]) == (500, "1003")

    def test_the_next_request_has_its_own_ids(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.get("/health")
        api.get("/health")

        first, second = messages(capsys.readouterr().out)
        assert first["request_id"] != second["request_id"]
        assert first["function_request_id"] != second["function_request_id"]

    def test_other_packages_log_from_warning_on(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        """At DEBUG, the SDK logs its requests, including embeddings."""
        logging.getLogger().setLevel(logging.DEBUG)  # as the runtime does for AWS_LAMBDA_LOG_LEVEL
        logs.configure()
        logging.getLogger("chalicelib").setLevel(logging.DEBUG)
        api.token(pictures.drawing())

        assert [line["message"] for line in messages(capsys.readouterr().out)] == ["answered"]

    def test_outside_lambda_there_are_neither_lines_nor_metrics(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
        api.search_picture(pictures.drawing())

        assert capsys.readouterr().out == ""


class TestErrors:
    """Errors of other packages may quote a name, a token or an embedding."""

    QUOTED = "Ada Lovelace c4yAQ8ZAaT3oRXVWk1FfNnSv"
    FOREIGN = (
        ValueError(QUOTED),
        KeyError(QUOTED),
        UnicodeEncodeError("latin-1", QUOTED, 0, 1, QUOTED),
        pymysql.DataError(1406, f"Data too long for column {QUOTED}"),
        ClientError({"Error": {"Code": "X", "Message": QUOTED}}, "PutItem"),
        OSError(28, QUOTED, QUOTED),
    )

    @pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
    def test_an_error_is_logged_once_without_its_message(
        self,
        api: LambdaApi,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
    ) -> None:
        error.add_note(self.QUOTED)

        def fail(*_: object, **__: object) -> None:
            try:
                raise RuntimeError(self.QUOTED)
            except RuntimeError:
                raise error from ValueError(self.QUOTED)

        monkeypatch.setattr(wiring.wiring().active_pack, "answer", fail)
        assert api.get("/info").status == 500

        output = capsys.readouterr().out
        failed, answered = messages(output)
        assert failed["message"] == "GET /info failed"
        assert failed["request_id"] == answered["request_id"]
        assert f"{type(error).__module__}.{type(error).__name__}" in failed["exception"]
        assert 'test_observability.py", line' in failed["exception"]
        assert not any(part in output for part in ("Ada", "Lovelace", "c4yAQ8Z"))
        if isinstance(error, pymysql.DataError):
            assert "1406" in failed["exception"]

    def test_an_error_of_the_service_is_logged_with_its_message(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise SettingsError("TOKEN_TTL_SECONDS must be a whole number")

        monkeypatch.setattr(wiring.wiring().active_pack, "answer", fail)
        api.get("/info")

        failed = messages(capsys.readouterr().out)[0]
        assert failed["exception"].endswith("SettingsError: TOKEN_TTL_SECONDS must be a whole number")

    def test_errors_caught_by_chalice_are_logged_once_in_the_same_form(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: object) -> None:
            raise ValueError(self.QUOTED)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(RestAPIEventHandler, "_validate_response", fail)
            assert api.get("/health").status == 500

        output = capsys.readouterr().out
        failed, answered = messages(output)
        assert failed["message"] == "Caught exception for path /health"
        assert "ValueError" in failed["exception"]
        assert (answered["status"], answered["error_code"]) == (500, "1003")
        assert "Ada" not in output

    @pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
    @pytest.mark.usefixtures("api")
    def test_no_function_returns_an_error_to_its_caller(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
    ) -> None:
        """Lambda would log the error and return it to the caller."""

        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(operations, "migrate_by_event", fail)
        with pytest.raises(ServiceError) as raised:
            app.migrate({"administrator": {"user": "master", "password": "s3cret"}}, context())

        output = capsys.readouterr().out
        [failed] = messages(output)
        assert failed["message"] == "the function failed"
        assert type(error).__name__ in failed["exception"]
        assert raised.value.status == 500
        assert not any(part in output for part in ("Ada", "s3cret", "master"))


class TestFunctions:
    @pytest.mark.usefixtures("api")
    def test_a_function_is_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        app.migrate({}, context())

        [line] = lines(capsys.readouterr().out)
        assert (line["level"], line["message"], line["function"]) == ("INFO", "done", FUNCTION)
        assert re.fullmatch(r"[0-9a-f-]{36}", line["function_request_id"])
        assert not {"route", "request_id"} & line.keys()
        assert line["duration_ms"] >= 0
