"""Until when the request that is being answered may wait for stores.

Each wait has a limit of its own, but a request makes many, and slow answers add up. So a request also has one end for
all of them. What is no request, such as a scheduled function, has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from chalicelib.errors import store_unavailable

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
GATEWAY_SECONDS = 29.0
# The rest is for the container's start and for what a request does beside waiting.
REQUEST_SECONDS = 24.0

T = TypeVar("T")
R = TypeVar("R")

_end: ContextVar[float | None] = ContextVar("end", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let what this thread does in the block wait for stores until then, and no longer."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def shortened(seconds: float) -> float:
    """Return how long a wait that begins now may last: `seconds`, or what is left.

    Raises
    ------
    ServiceError
        503 when nothing is left.
    """
    end = _end.get()
    if end is None:
        return seconds
    left = end - time.monotonic()
    if left <= 0:
        raise store_unavailable()
    return min(seconds, left)


def expect(seconds: float) -> None:
    """Raise 503 unless so much is left: for what cannot be stopped once it has begun."""
    if shortened(seconds) < seconds:
        raise store_unavailable()


def carried(work: Callable[[T], R]) -> Callable[[T], R]:
    """Return `work` for other threads, which then have this thread's end."""
    end = _end.get()

    def carrying(item: T) -> R:
        token = _end.set(end)
        try:
            return work(item)
        finally:
            _end.reset(token)

    return carrying
