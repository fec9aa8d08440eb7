"""How many bytes a reply has on its way out of a function, and how much of a list fits."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: a synchronous invocation's payload.
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
# For the status, the headers and a reply's other fields.
MAX_OTHER_BYTES = 64 * 1024
MAX_LIST_BYTES = MAX_PAYLOAD_BYTES - MAX_OTHER_BYTES


def as_text(body: Any) -> str:
    """Return a reply's JSON. Characters beyond ASCII stay as they are: an emoji has 4 bytes, and 12 when escaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def payload_bytes(text: str) -> int:
    """Return how many bytes a body has within the function's answer, where it is a JSON string.

    Its quotes and backslashes are escaped again, and under Python 3.11 all that is not ASCII. (AWS's runtime client,
    lambda_runtime_marshaller.py. Later versions leave that as it is, and send less.)
    """
    return len(json.dumps(text))


def fitting(items: Sequence[Any]) -> int:
    """Return how many of a list's first items fit into one reply."""
    if payload_bytes(as_text(items)) <= MAX_LIST_BYTES:
        return len(items)
    # Of each item's two quotes one stands for the comma. The list's own are one more, and its brackets two.
    ends = list(accumulate(payload_bytes(as_text(item)) - 1 for item in items))
    return bisect_right(ends, MAX_LIST_BYTES - 3)
