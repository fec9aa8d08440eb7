"""What the deployed service tells of itself: JSON lines with the requests' ids, metrics, and nothing about anybody."""

from __future__ import annotations

import base64
import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pymysql
import pytest
from botocore.exceptions import ClientError
from chalice.app import RestAPIEventHandler

import app
from chalicelib import logs, observability, operations, wiring
from chalicelib.errors import ServiceError
from chalicelib.faces import Embedding, Image, Landmarks
from chalicelib.settings import SettingsError
from chalicelib.vision.embedder import Embedder
from tests.e2e import pictures
from tests.e2e.api import Query, Reply
from tests.e2e.invocation_log import PICTURES, lines, messages, metrics, told
from tests.e2e.lambda_api import LambdaApi, context
from tests.e2e.mysql_database import mysql_database
from tests.e2e.refusals import Refusals
from tests.e2e.test_lambda_events import lasting_handler
from tests.e2e.walk import Walk

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

FUNCTION = "face-search-test"
TRACE = "1-67891233-abcdef012345678912345678"

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
EMF = {
    "type": "object",
    "required": ["_aws"],
    "properties": {
        "_aws": {
            "type": "object",
            "required": ["Timestamp", "CloudWatchMetrics"],
            "properties": {
                "Timestamp": {"type": "integer"},
                "CloudWatchMetrics": {
                    "type": "array",
                    "minItems": 1,
                    "items": {
                        "type": "object",
                        "required": ["Namespace", "Dimensions", "Metrics"],
                        "properties": {
                            "Namespace": {"type": "string", "minLength": 1, "maxLength": 1024},
                            "Dimensions": {
                                "type": "array",
                                "minItems": 1,
                                "items": {
                                    "type": "array",
                                    "maxItems": 30,
                                    "items": {"type": "string", "minLength": 1, "maxLength": 250},
                                },
                            },
                            "Metrics": {
                                "type": "array",
                                "minItems": 1,
                                "maxItems": 100,
                                "items": {
                                    "type": "object",
                                    "required": ["Name"],
                                    "properties": {
                                        "Name": {"type": "string", "minLength": 1, "maxLength": 1024},
                                        "Unit": {"enum": ["Count", "Milliseconds"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}


@pytest.fixture(scope="module")
def handler_on_mysql(dynamodb: DynamoDBClient, s3: S3Client, mysql_server: int) -> Iterator[LambdaApi]:
    with (
        mysql_database(mysql_server) as database,
        lasting_handler(dynamodb, s3, f"mysql://root@127.0.0.1:{mysql_server}/{database}") as api,
    ):
        yield api


@pytest.fixture
def on_lambda(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The environment of a function, and its standard output, which `capsys` reads."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1")
    # moto's server runs in this process.
    monkeypatch.setattr(logging.getLogger("werkzeug"), "propagate", False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def api(handler_on_mysql: LambdaApi, on_lambda: None, capsys: pytest.CaptureFixture[str]) -> Iterator[LambdaApi]:
    with handler_on_mysql.on_an_empty_face_set():
        capsys.readouterr()
        yield handler_on_mysql


class TestRequests:
    def test_a_request_is_one_line_with_its_ids(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.get("/health")

        [line] = messages(capsys.readouterr().out)
        assert (line["level"], line["message"], line["service"]) == ("INFO", "answered", "face-search")
        assert (line["route"], line["status"]) == ("GET /health", 200)
        assert 0 <= line["duration_ms"] < 1000
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
    def test_a_refusal_is_told_with_its_code(
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

    def test_what_is_logged_meanwhile_has_the_requests_ids(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of the service's own modules and of others', from threads too, and each once."""
        monkeypatch.setattr(wiring.wiring().crops, "_bucket", "no-such-bucket")

        assert api.post("/detect", image_file=pictures.two_faces()).status == 500

        *failures, answered = messages(capsys.readouterr().out)
        assert {line["message"] for line in failures} == {"PutObject failed: NoSuchBucket, status 404"}
        assert 1 <= len(failures) <= 2
        assert {line["level"] for line in failures} == {"ERROR"}
        assert {line["location"].partition(":")[0] for line in failures} == {"chalicelib.stores.aws"}
        assert {line["request_id"] for line in failures} == {answered["request_id"]}
        assert {line["route"] for line in failures} == {"POST /detect"}
        assert (answered["status"], answered["error_code"]) == (500, "1003")

    def test_the_next_request_has_ids_of_its_own(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.get("/health")
        api.get("/health")

        first, second = messages(capsys.readouterr().out)
        assert first["request_id"] != second["request_id"]
        assert first["function_request_id"] != second["function_request_id"]

    def test_other_packages_are_not_heard_below_warning(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """The SDK logs at DEBUG what it sends, embeddings included."""
        logging.getLogger().setLevel(logging.DEBUG)  # as AWS_LAMBDA_LOG_LEVEL has the runtime do it
        logs.configure()
        logging.getLogger("chalicelib").setLevel(logging.DEBUG)
        api.token(pictures.drawing())

        assert [line["message"] for line in messages(capsys.readouterr().out)] == ["answered"]

    def test_elsewhere_there_are_neither_lines_nor_metrics(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_LAMBDA_FUNCTION_NAME")
        api.search_picture(pictures.drawing())

        assert capsys.readouterr().out == ""


class TestErrors:
    """Somebody else's error may quote a name, a token or an embedding."""

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
    def test_it_is_logged_once_without_its_words(
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

        monkeypatch.setattr(wiring.wiring().serving, "answer", fail)
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

    def test_an_own_error_is_told_in_its_words(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise SettingsError("TOKEN_TTL_SECONDS must be a whole number")

        monkeypatch.setattr(wiring.wiring().serving, "answer", fail)
        api.get("/info")

        failed = messages(capsys.readouterr().out)[0]
        assert failed["exception"].endswith("SettingsError: TOKEN_TTL_SECONDS must be a whole number")

    def test_what_chalice_catches_itself_is_logged_once_and_alike(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object) -> None:
            raise ValueError(self.QUOTED)

        monkeypatch.setattr(RestAPIEventHandler, "_validate_response", fail)
        assert api.get("/health").status == 500

        output = capsys.readouterr().out
        failed, answered = messages(output)
        assert failed["message"] == "Caught exception for path /health"
        assert "ValueError" in failed["exception"]
        assert (answered["status"], answered["error_code"]) == (500, "1003")
        assert "Ada" not in output

    @pytest.mark.parametrize("error", FOREIGN, ids=lambda error: type(error).__name__)
    @pytest.mark.usefixtures("api")
    def test_no_function_passes_it_on(
        self,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
    ) -> None:
        """Lambda would log it, and tell it to who has invoked the function."""

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


class TestMetrics:
    @pytest.fixture(autouse=True)
    def warm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(observability, "_warm", True)

    def emitted(self, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
        """Check the only line of metrics; return it."""
        [line] = metrics(capsys.readouterr().out)
        jsonschema.validate(line, EMF)
        [directive] = line["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "FaceSearch"
        [dimensions] = directive["Dimensions"]
        assert {name: line[name] for name in dimensions} == {"service": "face-search", "function": FUNCTION}
        for metric in directive["Metrics"]:
            values = line[metric["Name"]]
            assert 0 < len(values) <= 100
            assert all(isinstance(value, int | float) for value in values)
        now = datetime.now(UTC).timestamp() * 1000
        assert now - 60_000 < line["_aws"]["Timestamp"] <= now
        return line

    def names(self, line: dict[str, Any]) -> dict[str, str]:
        return {metric["Name"]: metric["Unit"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}

    def test_detect(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.detect(pictures.two_faces())

        line = self.emitted(capsys)
        assert self.names(line) == {"DetectMilliseconds": "Milliseconds", "FacesFound": "Count"}
        assert line["FacesFound"] == [2]
        assert 1 < line["DetectMilliseconds"][0] < 10_000
        assert (line["route"], line["status"]) == ("POST /detect", 200)

    def test_search_by_token(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        tokens = [api.added(pictures.drawing(), "Ada") for _ in range(3)]
        capsys.readouterr()
        api.search(tokens[0])

        line = self.emitted(capsys)
        assert self.names(line) == {"SearchMilliseconds": "Milliseconds", "GallerySize": "Count"}
        assert line["GallerySize"] == [3]
        assert 0 < line["SearchMilliseconds"][0] < 10_000

    def test_search_by_picture(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.search_picture(pictures.drawing())

        line = self.emitted(capsys)
        assert self.names(line).keys() == {"DetectMilliseconds", "FacesFound", "SearchMilliseconds", "GallerySize"}
        assert (line["FacesFound"], line["GallerySize"]) == ([1], [0])

    def test_a_picture_without_a_face_counts_none(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.post("/search", image_file=pictures.cat(), threshold="0.65")

        line = self.emitted(capsys)
        assert (line["FacesFound"], line["status"], line["error_code"]) == ([0], 422, "1007")

    def test_what_measures_nothing_costs_nothing(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.get("/info")
        api.get("/search")

        assert metrics(capsys.readouterr().out) == []

    def test_the_first_request_of_a_container_is_its_cold_start(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(observability, "_warm", False)
        api.get("/health")
        api.get("/health")

        line = self.emitted(capsys)
        assert self.names(line) == {"ColdStart": "Count"}
        assert line["ColdStart"] == [1]

    def test_who_was_started_in_advance_does_not_start_cold(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(observability, "_warm", False)
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")
        api.get("/health")

        assert metrics(capsys.readouterr().out) == []


class Listener(LambdaApi):
    """Sends on, and remembers the tokens and names that went in or came out."""

    def __init__(self, api: LambdaApi) -> None:
        super().__init__()
        self._api = api
        self.texts: set[str] = set()

    def send(
        self, method: str, path: str, query: Query = (), content_type: str | None = None, body: bytes | None = None
    ) -> Reply:
        self.texts |= {value for name, value in query if name in ("face_token", "face_name")}
        reply = self._api.send(method, path, query, content_type, body)
        self._remember(reply.body)
        return reply

    def _remember(self, value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                self._remember(item)
        elif isinstance(value, dict):
            names = ("face_token", "face_name", "face_neme")
            self.texts |= {text for name, text in value.items() if name in names and text != "unknown"}
            self._remember(list(value.values()))


@pytest.fixture
def heard(
    handler_on_mysql: LambdaApi,
    on_lambda: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Listener]:
    """The handler at its most talkative; after the test everything that it wrote is searched."""
    embeddings: list[Embedding] = []
    embed = Embedder.embed

    def remembered(self: Embedder, image: Image, landmarks: list[Landmarks]) -> Any:
        made = embed(self, image, landmarks)
        embeddings.extend(made)
        return made

    monkeypatch.setattr(Embedder, "embed", remembered)
    wiring.wiring()
    logging.getLogger("chalicelib").setLevel(logging.DEBUG)
    listener = Listener(handler_on_mysql)
    with listener.on_an_empty_face_set():
        yield listener
    output = "".join(capsys.readouterr())
    assert messages(output)
    assert told(output, listener.texts, embeddings) == []


class TestNothingIsToldOfAWalk(Walk):
    @pytest.fixture
    def api(self, heard: Listener) -> Listener:
        return heard


class TestNothingIsToldOfRefusals(Refusals):
    @pytest.fixture
    def api(self, heard: Listener) -> Listener:
        return heard


class TestTheSearch:
    """Whatever of it is in an output is found."""

    EMBEDDING = np.random.default_rng(0).standard_normal(128).astype(np.float32)
    TOKEN = "c4yAQ8ZAaT3oRXVWk1FfNnSv"

    @pytest.mark.parametrize(
        "leak",
        [
            TOKEN,
            "Zoë",
            json.dumps("Zoë"),
            "Zo%C3%AB",
            str(EMBEDDING.tolist()),
            f"[{EMBEDDING[0]:.6f}]",
            repr(EMBEDDING.tobytes()),
            EMBEDDING.tobytes().hex(),
            base64.b64encode(EMBEDDING.tobytes()).decode(),
            base64.b64encode(b"x" + EMBEDDING.tobytes()).decode(),
            base64.b64encode(b"xx" + EMBEDDING.tobytes()).decode(),
            repr(pictures.drawing()[:40]),
            pictures.drawing()[:40].hex(),
            base64.b64encode(pictures.drawing()).decode(),
            pictures.astronaut()[:40].decode("utf-8", "replace"),
            *PICTURES,
        ],
    )
    def test_a_leak_is_found(self, leak: str) -> None:
        assert told(f'{{"message": "{leak}"}}', [self.TOKEN, "Zoë"], [self.EMBEDDING])
