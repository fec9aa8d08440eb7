"""Keeps to a service's rate from the caller's side, which costs less than being refused."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """Lets through so much a second, with up to a second's worth at once: a token bucket.

    For one thread at a time.

    Parameters
    ----------
    clock
        Returns seconds from any beginning.
    sleep
        Waits so many seconds.
    """

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._per_second = per_second
        self._clock = clock
        self._sleep = sleep
        self._left = per_second
        self._at = clock()

    def take(self, amount: float) -> None:
        """Wait until so much may go; more than a second's worth goes when a second's worth is there."""
        now = self._clock()
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        missing = min(amount, self._per_second) - self._left
        self._left -= amount
        if missing > 0:
            self._sleep(missing / self._per_second)
