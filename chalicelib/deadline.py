"""Limits the total time of a request, including its waits for stores.

Each wait has its own limit, but a request makes many, and slow answers add up; a picture may also take long to search
for faces. So a request has one deadline for everything. Other work, such as a scheduled function, has none.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar

from chalicelib.errors import StoreUnavailableError, took_too_long

# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
GATEWAY_SECONDS = 29.0
# The default of the setting REQUEST_SECONDS. The remaining time is for the container's start, and for work that cannot
# be stopped once started.
REQUEST_SECONDS = 24.0

T = TypeVar("T")
R = TypeVar("R")


class _Request:
    def __init__(self, end: float) -> None:
        self.end = end
        self.store_failed = False


_request: ContextVar[_Request | None] = ContextVar("request", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Give this thread a deadline in `seconds` for the block's work."""
    token = _request.set(_Request(time.monotonic() + seconds))
    try:
        yield
    finally:
        _request.reset(token)


def is_set() -> bool:
    """Return whether this thread works for a request, which has a deadline."""
    return _request.get() is not None


def shortened(seconds: float) -> float:
    """Return how long a wait that starts now may last: `seconds`, or the request's time left if that is shorter.

    Raises
    ------
    ServiceError
        503 when no time is left; it blames a store only if one has failed during the request.
    """
    request = _request.get()
    if request is None:
        return seconds
    left = request.end - time.monotonic()
    if left <= 0:
        raise _over(request)
    return min(seconds, left)


def expect(seconds: float) -> None:
    """Raise 503 unless `seconds` are left. Call this before work that cannot be stopped once started."""
    request = _request.get()
    if request is not None and request.end - time.monotonic() < seconds:
        raise _over(request)


def check() -> None:
    """Raise 503 when no time is left. Call this between the parts of long work."""
    shortened(0)


def store_failed() -> None:
    """Record that a store has failed and is retried, so that an error for lack of time names the store."""
    request = _request.get()
    if request is not None:
        request.store_failed = True


def carried(work: Callable[[T], R]) -> Callable[[T], R]:
    """Wrap `work` to run in other threads with this thread's deadline."""
    request = _request.get()

    def carrying(item: T) -> R:
        token = _request.set(request)
        try:
            return work(item)
        finally:
            _request.reset(token)

    return carrying


def _over(request: _Request) -> Exception:
    return StoreUnavailableError() if request.store_failed else took_too_long()
