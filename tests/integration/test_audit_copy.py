"""The function that copies the audit log's lines, against a log group in moto."""

from __future__ import annotations

import base64
import gzip
import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from chalicelib.telemetry import audit_copy
from chalicelib.telemetry.audit_copy import NotCopiedError, copy


@pytest.fixture
def group(aws_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = f"audit-{secrets.token_hex(4)}"
    boto3.client("logs").create_log_group(logGroupName=name)
    monkeypatch.setenv("AUDIT_LOG", name)
    monkeypatch.setenv("AWS_LAMBDA_LOG_STREAM_NAME", "2026/11/30/[$LATEST]abc")
    _forget()
    yield name
    _forget()


def _forget() -> None:
    """Start as a new container."""
    audit_copy._client.cache_clear()
    audit_copy._stream.cache_clear()


def _event(lines: list[tuple[int, str]], kind: str = "DATA_MESSAGE") -> dict[str, Any]:
    events = [{"id": str(number), "timestamp": at, "message": text} for number, (at, text) in enumerate(lines)]
    data = gzip.compress(json.dumps({"messageType": kind, "logEvents": events}).encode())
    return {"awslogs": {"data": base64.b64encode(data).decode()}}


def _kept(group: str) -> list[str]:
    pages = boto3.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [event["message"] for page in pages for event in page["events"]]


def test_lines_are_copied_in_order(group: str) -> None:
    now = int(time.time() * 1000)

    assert copy(_event([(now, '{"n":2}'), (now - 5, '{"n":1}')]), None) == 2

    assert _kept(group) == ['{"n":1}', '{"n":2}']


def test_a_container_that_starts_again_continues_its_stream(group: str) -> None:
    now = int(time.time() * 1000)
    copy(_event([(now, "first")]), None)
    _forget()

    copy(_event([(now + 1, "second")]), None)

    assert _kept(group) == ["first", "second"]


def test_a_large_batch_is_sent_in_parts(group: str) -> None:
    now = int(time.time() * 1000)
    lines = [(now + number, f"{number}" + "é" * 200_000) for number in range(4)]

    copy(_event(lines), None)

    assert [text[0] for text in _kept(group)] == ["0", "1", "2", "3"]


def test_cloudwatchs_trial_of_the_function_copies_nothing(group: str) -> None:
    assert copy(_event([(1, "CWL CONTROL MESSAGE")], "CONTROL_MESSAGE"), None) == 0

    assert _kept(group) == []


def test_a_refused_line_fails_the_function(group: str) -> None:
    """CloudWatch reports lines that are too old in a reply without an error."""
    with pytest.raises(NotCopiedError, match="tooOldLogEventEndIndex"):
        copy(_event([(1, "from 1970")]), None)
