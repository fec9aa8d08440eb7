"""Each addition, removal and identification through the API is an event on the bus, with tokens and no names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.stores.aws.event_bus import EventBus
from chalicelib.stores.face_set.face_set import FaceSet
from tests.e2e import pictures
from tests.e2e.lambda_api import LambdaApi, lasting_handler
from tests.event_listener import Listener
from tests.services import free_port

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

NAME = "Ada Lovelace"
Stage = tuple[LambdaApi, Listener]


@pytest.fixture(scope="module")
def _stage(dynamodb: DynamoDBClient, s3: S3Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    file: Path = tmp_path_factory.mktemp("events") / "face_set.sqlite"
    listener = Listener()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVENT_BUS", listener.name)
        with lasting_handler(dynamodb, s3, f"sqlite:///{file}") as api:
            yield api, listener


@pytest.fixture
def stage(_stage: Stage) -> Iterator[Stage]:
    api, listener = _stage
    with api.on_an_empty_face_set():
        listener.heard()
        yield api, listener


def heard(listener: Listener) -> list[tuple[str, dict[str, Any]]]:
    return [(event["detail-type"], event["detail"]) for event in listener.heard()]


def test_a_face_is_added_identified_and_removed(stage: Stage) -> None:
    api, listener = stage
    token = api.token(pictures.drawing())
    api.add(token, face_name=NAME)
    api.add(token, face_name=f"{NAME} the second")  # a renaming
    found = api.post("/identify", image_file=pictures.two_faces()).body["faces"]
    api.post("/identify", image_file=pictures.cat())
    api.remove(token)
    api.send("DELETE", f"/faces/{token}")  # it is gone

    tokens = [face["face_token"] for face in found]
    events = heard(listener)
    assert events == [
        ("Face added", {"face_set": "default", "face_tokens": [token]}),
        ("Face identified", {"face_set": "default", "face_tokens": tokens, "nearest": {tokens[0]: token}}),
        ("Face removed", {"face_set": "default", "face_tokens": [token]}),
    ]
    assert NAME not in str(events)


@pytest.mark.parametrize("of", ["person", "face set"])
def test_the_faces_of_a_removed_person_or_face_set_are_one_event(stage: Stage, of: str) -> None:
    api, listener = stage
    api.post("/face_sets", face_set="visitors")
    tokens = []
    for picture in (pictures.drawing(), pictures.astronaut()):
        tokens.append(api.token(picture))
        api.add(tokens[-1], face_name=NAME, face_set="visitors")
    listener.heard()

    if of == "person":
        api.send("DELETE", "/people/Ada%20Lovelace", [("face_set", "visitors")])
    else:
        api.send("DELETE", "/face_sets/visitors")

    assert heard(listener) == [("Face removed", {"face_set": "visitors", "face_tokens": tokens})]


def test_a_refused_request_is_no_event(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    api, listener = stage
    token = api.token(pictures.drawing())
    monkeypatch.setattr(FaceSet, "add", lambda *_: 1 / 0)

    assert api.get("/addface", face_token=token, face_name=NAME).status == 500
    assert heard(listener) == []


def test_a_bus_that_cannot_be_reached_fails_no_request(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    api, listener = stage
    monkeypatch.setattr(EventBus, "_connected", lambda _: _unreachable(monkeypatch))
    token = api.token(pictures.drawing())

    assert api.get("/addface", face_token=token, face_name=NAME).status == 200
    assert api.get(f"/faces/{token}").status == 200
    assert heard(listener) == []
    assert "events could not be sent" in caplog.text


def _unreachable(monkeypatch: pytest.MonkeyPatch) -> Any:
    from chalicelib.stores.aws import sdk

    with monkeypatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL_EVENTBRIDGE", f"http://127.0.0.1:{free_port()}")
        return sdk.client("events", 1, 2.0)
