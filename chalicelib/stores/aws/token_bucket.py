"""Limits a caller to a service's rate, which costs less than throttled requests."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """A token bucket: allows `per_second` a second on average, and a second's worth at once.

    Not thread-safe.

    Parameters
    ----------
    clock
        Returns seconds from any starting point.
    sleep
        Waits for the given number of seconds.
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
        """Wait until `amount` is available. A larger amount than a second's worth waits for a second's worth only."""
        now = self._clock()
        # A container restored from a snapshot may have an earlier clock than when this object was made.
        passed = max(now - self._at, 0)
        self._left = min(self._per_second, self._left + passed * self._per_second)
        self._at = now
        missing = min(amount, self._per_second) - self._left
        self._left -= amount
        if missing > 0:
            self._sleep(missing / self._per_second)
