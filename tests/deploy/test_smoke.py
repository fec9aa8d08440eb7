"""`python -m infra.deploy.smoke`, against `make run` and against a stage in moto that leads to it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from infra.deploy import smoke, smoke_logs, smoke_walk
from infra.deploy.errors import DeployError
from infra.deploy.smoke_logs import Figure
from infra.deploy.stack import Stack
from infra.scaling import figures as scaling
from tests.deploy.conftest import REGION, STACK, Operator
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack

REPORT = (
    "REPORT RequestId: 8f5 Duration: 152.45 ms Billed Duration: 153 ms Memory Size: 1769 MB Max Memory Used: {mb} MB"
)
LINES = [
    "INIT_START Runtime Version: python:3.13.v1",
    json.dumps({"message": "answered", "route": "POST /detect", "status": 200, "duration_ms": 150.0}),
    json.dumps({"message": "answered", "route": "POST /detect", "status": 200, "duration_ms": 120.0}),
    json.dumps({"message": "answered", "route": "POST /detect", "status": 200, "duration_ms": 700.0}),
    json.dumps({"message": "answered", "route": "POST /addface", "status": 200, "duration_ms": 33.0}),
    json.dumps({"_aws": {}, "SearchMilliseconds": [900.5], "GallerySize": [1_000_000]}),
    json.dumps({"_aws": {}, "SearchMilliseconds": [12.5], "GallerySize": [1_000_001]}),
    f"{REPORT.format(mb=310)} Init Duration: 1900.00 ms",
    f"{REPORT.format(mb=340)} Restore Duration: 300.00 ms",
    REPORT.format(mb=320),
    "[1, 2]",
]
FIGURES = [
    Figure("a container's start", 1_100.0, "ms"),
    Figure("a picture's request on Lambda", 150.0, "ms"),
    Figure("an addition on Lambda", 33.0, "ms"),
    Figure("memory of a container", 340.0, "MB"),
    Figure("slowest search, 1,000,000 faces", 900.5, "ms"),
]


def face_sets(stack: LocalStack) -> list[str]:
    return [one["face_set"] for one in HttpApi(stack.port).get("/face_sets").body["face_sets"]]


def test_the_walk_times_requests_and_leaves_nothing(
    sqlite_stack: LocalStack, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"http://127.0.0.1:{sqlite_stack.port}"

    smoke.main(["--url", url, "--repeats", "2", "--into", str(tmp_path)])

    read = json.loads((tmp_path / "measured.json").read_text("utf-8"))
    assert read["figures"].keys() == {
        f"POST /{route}, {what} with the network" for route in ("detect", "search") for what in ("median", "90 %")
    }
    assert all(figure["value"] > 0 and figure["unit"] == "ms" for figure in read["figures"].values())
    assert (
        f"python -m infra.deploy.smoke, {url}, " in read["figures"]["POST /detect, median with the network"]["source"]
    )
    text = (tmp_path / "measured.md").read_text("utf-8")
    assert text == capsys.readouterr().out
    assert text.startswith("| name | figure | unit | source |\n")
    assert smoke_walk.FACE_SET not in face_sets(sqlite_stack)


def test_a_stage_is_walked_through_with_its_key_and_its_log_is_read(
    operator: Operator, sqlite_stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = operator.root / "build/package/dev/template.json"
    template = json.loads(path.read_text())
    key = operator.client("apigateway").create_api_key(name="first", value="a" * 20)["id"]
    template["Outputs"]["ApiUrl"]["Value"] = f"http://127.0.0.1:{sqlite_stack.port}/"
    template["Outputs"]["ApiKeyId"]["Value"] = key
    path.write_text(json.dumps(template))
    operator.deployed()
    outputs = Stack(operator.client("cloudformation"), STACK).outputs()
    later = int((time.time() + 600) * 1000)
    logs, group = operator.client("logs"), f"/aws/lambda/{outputs['ApiFunction']}"
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="one")
    events = [{"timestamp": later, "message": line} for line in [*LINES, *[REPORT.format(mb=1)] * 10]]
    logs.put_log_events(logGroupName=group, logStreamName="one", logEvents=events)
    seen: list[dict[str, str]] = []

    class Watched(smoke_walk.Service):
        def __init__(self, url: str, headers: Any) -> None:
            seen.append(dict(headers))
            super().__init__(url, headers)

    monkeypatch.setattr(smoke, "Service", Watched)
    for name, value in operator.environment.items():
        if name.startswith("AWS_"):
            monkeypatch.setenv(name, value)

    smoke.main(["dev", "--repeats", "1", "--into", str(tmp_path)])

    read = json.loads((tmp_path / "measured.json").read_text("utf-8"))["figures"]
    assert {figure.name: figure.value for figure in FIGURES}.items() <= {k: v["value"] for k, v in read.items()}.items()
    assert f"{REGION}, stage dev, " in read["a container's start"]["source"]
    assert seen == [{"x-api-key": "a" * 20}]


def test_the_figures_of_a_log() -> None:
    assert smoke_logs.figures(LINES) == FIGURES
    assert smoke_logs.figures(["START", "END"]) == []
    # They replace the guesses of docs/scaling.md.
    assert {figure.name for figure in FIGURES[:3]} <= scaling.GUESSED.keys()


def test_lines_are_awaited_for_a_limited_time(operator: Operator) -> None:
    logs, waited = operator.client("logs"), list[float]()
    logs.create_log_group(logGroupName="late")

    assert smoke_logs.lines(logs, "late", time.time(), 1, waited.append) == []
    assert sum(waited) == (smoke_logs.POLLS - 1) * smoke_logs.POLL_SECONDS


def test_the_bill_by_service() -> None:
    client = boto3.client("ce", region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b")

    def cost(service: str, dollars: str) -> dict[str, Any]:
        return {"Keys": [service], "Metrics": {"UnblendedCost": {"Amount": dollars, "Unit": "USD"}}}

    with Stubber(client) as stub:
        months = [
            {"Groups": [cost("AWS Lambda", "0.5"), cost("Amazon RDS", "2")]},
            {"Groups": [cost("AWS Lambda", "1")]},
        ]
        stub.add_response("get_cost_and_usage", {"ResultsByTime": months})

        assert smoke_logs.bill(client, "dev", 7) == [("AWS Lambda", 1.5), ("Amazon RDS", 2.0)]


@pytest.mark.parametrize(
    ("status", "faces", "reason"),
    [
        (500, 1, "POST /detect was answered 500: "),
        (200, 2, "/detect found 2 faces in a picture of one"),
        (200, 1, "/search did not find the face that was just added"),
    ],
)
def test_a_wrong_answer_ends_the_walk(monkeypatch: pytest.MonkeyPatch, status: int, faces: int, reason: str) -> None:
    called: list[str] = []

    def call(self: smoke_walk.Service, method: str, path: str, *_: Any, **__: Any) -> dict[str, Any]:
        called.append(f"{method} {path}")
        if path == "/detect" and status != 200:
            raise DeployError(f"POST /detect was answered {status}: ")
        return {"faces": [{"face_token": "t"}] * faces, "cmp_result": []}

    monkeypatch.setattr(smoke_walk.Service, "call", call)
    with pytest.raises(DeployError, match=reason):
        smoke_walk.walk(smoke_walk.Service("http://localhost", {}), 1)
    assert called[-1] == f"DELETE /face_sets/{smoke_walk.FACE_SET}"


@pytest.mark.parametrize(
    ("path", "reason"), [("", "was not answered: "), ("/nowhere", "GET /health was answered 404: ")]
)
def test_a_service_that_is_not_there(sqlite_stack: LocalStack, tmp_path: Path, path: str, reason: str) -> None:
    port = sqlite_stack.port if path else 1

    with pytest.raises(SystemExit, match=f"The smoke test failed: .*{reason}"):
        smoke.main(["--url", f"http://127.0.0.1:{port}{path}", "--into", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_a_stage_or_an_address_must_be_named() -> None:
    with pytest.raises(SystemExit):
        smoke.main([])
