"""Events on a bus of EventBridge, against moto: they arrive in a queue, and their loss fails nothing."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from chalicelib.happenings import Happening, Kind
from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.event_bus import MAX_TOKENS, EventBus
from tests.event_listener import Listener
from tests.services import free_port

ONE, OTHER, KNOWN = "a" * 24, "b" * 24, "c" * 24
NOW = 1_767_225_600


@pytest.fixture
def listener(aws_endpoint: str) -> Listener:
    return Listener()


def bus(name: str | None) -> EventBus:
    return EventBus(lambda: sdk.client("events", 1, 2.0), name, clock=lambda: NOW)


def test_each_happening_is_an_event_with_tokens_only(listener: Listener) -> None:
    bus(listener.name).publish(
        [
            Happening(Kind.ADDED, "default", [ONE]),
            Happening(Kind.REMOVED, "visitors", [ONE, OTHER]),
            Happening(Kind.IDENTIFIED, "default", [ONE, OTHER], {OTHER: KNOWN}),
        ]
    )

    heard = listener.heard()
    assert [event["time"] for event in heard] == ["2026-01-01T00:00:00Z"] * 3
    assert [event["source"] for event in heard] == ["face-search"] * 3
    assert [(event["detail-type"], event["detail"]) for event in heard] == [
        ("Face added", {"face_set": "default", "face_tokens": [ONE]}),
        ("Face removed", {"face_set": "visitors", "face_tokens": [ONE, OTHER]}),
        ("Face identified", {"face_set": "default", "face_tokens": [ONE, OTHER], "nearest": {OTHER: KNOWN}}),
    ]


def test_many_tokens_take_several_events_and_requests(listener: Listener) -> None:
    tokens = [f"{number:024}" for number in range(11 * MAX_TOKENS + 1)]

    bus(listener.name).publish([Happening(Kind.REMOVED, "default", tokens)])

    heard = listener.heard()
    assert len(heard) == 12
    assert sorted(token for event in heard for token in event["detail"]["face_tokens"]) == tokens


def test_without_a_bus_nothing_is_sent(aws_endpoint: str) -> None:
    def connect() -> None:
        pytest.fail("a client was made")

    EventBus(connect, None).publish([Happening(Kind.ADDED, "default", [ONE])])
    EventBus(connect, "bus").publish([])


def test_an_unreachable_bus_fails_nothing_and_reveals_nothing(
    aws_endpoint: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    caplog.set_level(logging.WARNING)

    bus("face-search").publish([Happening(Kind.ADDED, "default", [ONE])])

    assert "events could not be sent" in caplog.text
    assert ONE not in caplog.text


@pytest.mark.parametrize(
    ("reply", "line"),
    [
        ({"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}, "1 events were not accepted: Thr"),
        (RuntimeError("cannot schedule new futures"), "events could not be sent"),
        (MemoryError(), "events could not be sent"),
    ],
    ids=["refused entries", "runtime", "memory"],
)
def test_no_failure_of_the_bus_is_raised(reply: Any, line: str, caplog: pytest.LogCaptureFixture) -> None:
    class Client:
        def put_events(self, **_: Any) -> Any:
            if isinstance(reply, Exception):
                raise reply
            return reply

    EventBus(Client, "bus").publish([Happening(Kind.ADDED, "default", [ONE])])

    assert line in caplog.text
