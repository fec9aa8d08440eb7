"""The audit log has the caller, the action, the face set, the tokens and the outcome of each request, and no name."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.settings import current_settings
from chalicelib.telemetry import audit
from tests.e2e import pictures
from tests.e2e.invocation_log import messages
from tests.e2e.lambda_api import LambdaApi, event

NAME = "Ada Lovelace"


@pytest.fixture
def audited(observed_api: LambdaApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[LambdaApi]:
    monkeypatch.setenv("AUDIT", "on")
    current_settings.cache_clear()
    yield observed_api
    monkeypatch.undo()
    current_settings.cache_clear()


def _audited(output: str) -> list[dict[str, Any]]:
    return [line for line in messages(output) if line["message"] == audit.MESSAGE]


def test_each_request_is_one_line(audited: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
    token = audited.token(pictures.drawing())
    audited.add(token, face_name=NAME)
    audited.search(token)
    audited.get("/faces")
    audited.get("/face_sets")
    audited.send("DELETE", f"/faces/{token}")
    audited.send("DELETE", f"/faces/{token}")

    found = _audited(capsys.readouterr().out)
    assert [(line["action"], line.get("face_set"), line["face_tokens"], line["status"]) for line in found] == [
        ("detect", None, [token], 200),
        ("add_face", "default", [token], 200),
        ("search_by_token", "default", [token], 200),
        ("list_faces", "default", [], 200),
        ("list_face_sets", None, [], 200),
        ("remove_face", None, [token], 200),
        ("remove_face", None, [token], 404),
    ]
    assert [line.get("error_code") for line in found] == [None] * 6 + ["1006"]
    assert all(line["request_id"] for line in found)
    assert NAME not in str(found)


def test_the_tokens_of_a_removed_person_are_listed(audited: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
    token = audited.added(pictures.drawing(), NAME)
    capsys.readouterr()

    assert audited.send("DELETE", f"/people/{NAME}").status == 200

    [line] = _audited(capsys.readouterr().out)
    assert (line["action"], line["face_set"], line["face_tokens"]) == ("delete_person", "default", [token])
    assert NAME not in str(line)


@pytest.mark.parametrize(
    ("found_out", "caller"),
    [
        ({"identity": {"apiKeyId": "k1"}}, "key:k1"),
        ({"identity": {"apiKeyId": None, "userArn": "arn:aws:iam::1:user/x"}}, "iam:arn:aws:iam::1:user/x"),
        ({"authorizer": {"principalId": "s1"}, "identity": {"userArn": None}}, "jwt:s1"),
        ({"authorizer": None, "identity": None}, None),
        ({"authorizer": "x", "identity": ["y"]}, None),
    ],
)
def test_the_caller_is_the_gateways(
    audited: LambdaApi, capsys: pytest.CaptureFixture[str], found_out: dict[str, Any], caller: str | None
) -> None:
    sent = event("GET", "/face_sets", (), {}, None)
    sent["requestContext"] |= found_out

    audited.handle(sent)

    [line] = _audited(capsys.readouterr().out)
    assert line.get("caller") == caller


def test_the_log_level_does_not_silence_it(audited: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
    logging.getLogger("chalicelib").setLevel("ERROR")
    try:
        audited.get("/face_sets")
    finally:
        logging.getLogger("chalicelib").setLevel("INFO")

    assert [line["message"] for line in messages(capsys.readouterr().out)] == [audit.MESSAGE]


def test_many_tokens_follow_in_further_lines(audited: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = [f"{number:024}" for number in range(audit.MOST_TOKENS + 1)]
    with audit.following() as trail:
        audit.touched(tokens)

    audit.write(trail, caller=None, action="delete_face_set", status=200, error_code=None)

    first, second = _audited(capsys.readouterr().out)
    assert first["face_tokens"] + second["face_tokens"] == tokens


def test_open_routes_are_not_in_it(audited: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
    audited.get("/health")

    assert _audited(capsys.readouterr().out) == []


def test_there_is_none_without_the_setting(observed_api: LambdaApi, capsys: pytest.CaptureFixture[str]) -> None:
    observed_api.get("/face_sets")

    assert _audited(capsys.readouterr().out) == []
