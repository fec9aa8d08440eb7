"""The function that copies the audit log's lines to a log group of their own, which keeps them longer.

A function writes to one log group only, so CloudWatch passes the lines on through a subscription filter. It repeats a
batch that was not copied, so a line may be copied twice. The function has no layers: Lambda's runtime contains the SDK.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html
"""

from __future__ import annotations

import base64
import functools
import gzip
import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

# PutLogEvents' limits: events, and bytes with an overhead for each event.
MAX_EVENTS, MAX_BYTES, OVERHEAD_BYTES = 10_000, 1_048_576, 26


class NotCopiedError(Exception):
    """CloudWatch refused some lines."""


def copy(event: dict[str, Any], _: object) -> int:
    """Copy the lines of a subscription's event; return their number.

    Raises
    ------
    NotCopiedError, botocore.exceptions.ClientError
        When CloudWatch did not take every line.
    """
    batch = json.loads(gzip.decompress(base64.b64decode(event["awslogs"]["data"])))
    if batch["messageType"] != "DATA_MESSAGE":  # CloudWatch tests whether it may invoke the function
        return 0
    lines = sorted(batch["logEvents"], key=lambda line: line["timestamp"])
    group, stream = os.environ["AUDIT_LOG"], _stream()
    for some in _batches([{"timestamp": line["timestamp"], "message": line["message"]} for line in lines]):
        reply = _client().put_log_events(logGroupName=group, logStreamName=stream, logEvents=some)
        if refused := reply.get("rejectedLogEventsInfo"):
            raise NotCopiedError(f"CloudWatch refused lines of the audit log: {refused}")
    return len(lines)


def _batches(lines: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Yield the lines in batches that PutLogEvents accepts."""
    batch: list[dict[str, Any]] = []
    size = 0
    for line in lines:
        more = len(line["message"].encode()) + OVERHEAD_BYTES
        if batch and (size + more > MAX_BYTES or len(batch) == MAX_EVENTS):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += more
    if batch:
        yield batch


@functools.cache
def _client() -> Any:
    from botocore.session import get_session

    return get_session().create_client("logs")


@functools.cache
def _stream() -> str:
    """Create this container's stream in the audit log; return its name."""
    name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
    try:
        _client().create_log_stream(logGroupName=os.environ["AUDIT_LOG"], logStreamName=name)
    except _client().exceptions.ResourceAlreadyExistsException:
        pass  # an earlier attempt created it
    return name
