"""Measures a reply's bytes in a function's answer, and how many items of a list fit."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

# The limit of a synchronous invocation: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html.
MAX_PAYLOAD_BYTES = 6 * 1024 * 1024
# Reserved for the status, the headers and a reply's other fields.
MAX_OTHER_BYTES = 64 * 1024
MAX_LIST_BYTES = MAX_PAYLOAD_BYTES - MAX_OTHER_BYTES


def as_text(body: Any) -> str:
    """Return a reply's JSON. Characters beyond ASCII are not escaped: an emoji takes 4 bytes, and 12 when escaped."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))


def payload_bytes(text: str) -> int:
    """Return the bytes of a body in the function's answer, which holds the body as a JSON string.

    Quotes and backslashes are escaped again, and under Python 3.11 so are all characters beyond ASCII (AWS's runtime
    client, lambda_runtime_marshaller.py). Later versions do not escape these characters, and send less.
    """
    return len(json.dumps(text))


def fitting(items: Sequence[Any]) -> int:
    """Return how many items from the start of a list fit into one reply."""
    if payload_bytes(as_text(items)) <= MAX_LIST_BYTES:
        return len(items)
    # `payload_bytes` counts two quotes for each item: one is for the item's comma, so subtract the other. The list adds
    # its own two quotes and two brackets, less the last item's comma.
    ends = list(accumulate(payload_bytes(as_text(item)) - 1 for item in items))
    return bisect_right(ends, MAX_LIST_BYTES - 3)
