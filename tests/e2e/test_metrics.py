"""The metrics of a request are one line of CloudWatch's embedded metric format."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from chalicelib.telemetry import middleware
from tests.e2e import pictures
from tests.e2e.gallery_setting import on_s3_vectors
from tests.e2e.invocation_log import metrics
from tests.e2e.lambda_api import LambdaApi
from tests.e2e.observed_lambda import FUNCTION


@pytest.fixture
def api(observed_api: LambdaApi) -> LambdaApi:
    return observed_api


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


# A vector index does not report how many faces it contains.
GALLERY_SIZE = {} if on_s3_vectors() else {"GallerySize": "Count"}


class TestMetrics:
    @pytest.fixture(autouse=True)
    def warm(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(middleware, "_warm", True)

    def emitted(self, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
        """Check and return the only line of metrics."""
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
        assert self.names(line) == {"SearchMilliseconds": "Milliseconds", **GALLERY_SIZE}
        assert line.get("GallerySize") == (None if on_s3_vectors() else [3])
        assert 0 < line["SearchMilliseconds"][0] < 10_000

    def test_search_by_picture(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.search_picture(pictures.drawing())

        line = self.emitted(capsys)
        assert self.names(line).keys() == {"DetectMilliseconds", "FacesFound", "SearchMilliseconds", *GALLERY_SIZE}
        assert line["FacesFound"] == [1]
        assert line.get("GallerySize") == (None if on_s3_vectors() else [0])

    def test_a_picture_without_a_face_counts_none(self, api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
        api.post("/search", image_file=pictures.cat(), threshold="0.65")

        line = self.emitted(capsys)
        assert (line["FacesFound"], line["status"], line["error_code"]) == ([0], 422, "1007")

    def test_requests_without_measurements_write_no_metrics(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str]
    ) -> None:
        api.get("/info")
        api.get("/search")

        assert metrics(capsys.readouterr().out) == []

    def test_the_first_request_of_a_container_is_its_cold_start(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(middleware, "_warm", False)
        api.get("/health")
        api.get("/health")

        line = self.emitted(capsys)
        assert self.names(line) == {"ColdStart": "Count"}
        assert line["ColdStart"] == [1]

    def test_a_container_started_in_advance_has_no_cold_start(
        self, api: LambdaApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(middleware, "_warm", False)
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "provisioned-concurrency")
        api.get("/health")

        assert metrics(capsys.readouterr().out) == []
