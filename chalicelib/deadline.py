"""Until when a request may be worked on, and may wait for stores.

Each wait has a limit of its own, but a request makes many, and slow answers add up; and a picture may take long to look
through. So a request also has one end for everything. What is no request, such as a scheduled function, has none.
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
# The rest is for the container's start, and for what cannot be stopped once it has begun.
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
    """Let what this thread does in the block go on until then, and no longer."""
    token = _request.set(_Request(time.monotonic() + seconds))
    try:
        yield
    finally:
        _request.reset(token)


def shortened(seconds: float) -> float:
    """Return how long a wait that begins now may last: `seconds`, or what is left.

    Raises
    ------
    ServiceError
        503 when nothing is left; it names a store only when one has failed during the request.
    """
    request = _request.get()
    if request is None:
        return seconds
    left = request.end - time.monotonic()
    if left <= 0:
        raise _over(request)
    return min(seconds, left)


def expect(seconds: float) -> None:
    """Raise 503 unless so much is left: for what cannot be stopped once it has begun."""
    request = _request.get()
    if request is not None and request.end - time.monotonic() < seconds:
        raise _over(request)


def check() -> None:
    """Raise 503 when nothing is left: for between the parts of long work."""
    shortened(0)


def store_failed() -> None:
    """Remember that a store has failed, and is asked again: should the time end meanwhile, that is why."""
    request = _request.get()
    if request is not None:
        request.store_failed = True


def carried(work: Callable[[T], R]) -> Callable[[T], R]:
    """Return `work` for other threads, which then have this thread's end."""
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
