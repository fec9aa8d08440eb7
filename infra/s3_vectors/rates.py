"""Limits writes to an index: 1,000 requests and 2,500 vectors a second, for puts and deletes together."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

WRITE_REQUESTS_PER_SECOND = 1_000
WRITTEN_VECTORS_PER_SECOND = 2_500


class WriteRates:
    """Two token buckets for each index, for requests and for vectors. A bucket holds the tokens of one second."""

    def __init__(
        self,
        requests_per_second: float = WRITE_REQUESTS_PER_SECOND,
        vectors_per_second: float = WRITTEN_VECTORS_PER_SECOND,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rates = (requests_per_second, vectors_per_second)
        self._clock = clock
        self._lock = threading.Lock()
        self._indexes: dict[str, tuple[_Bucket, _Bucket]] = {}

    def allow(self, index_arn: str, vectors: int) -> bool:
        """Take one request and this many vectors from an index's buckets, and return True.

        If a bucket has too few tokens, take nothing and return False.
        """
        with self._lock:
            now = self._clock()
            if index_arn not in self._indexes:
                self._indexes[index_arn] = (_Bucket(self._rates[0], now), _Bucket(self._rates[1], now))
            requests, written = self._indexes[index_arn]
            if requests.level(now) < 1 or written.level(now) < vectors:
                return False
            requests.take(1)
            written.take(vectors)
            return True


class _Bucket:
    def __init__(self, per_second: float, now: float) -> None:
        self._per_second = per_second
        self._level = per_second
        self._at = now

    def level(self, now: float) -> float:
        self._level = min(self._per_second, self._level + (now - self._at) * self._per_second)
        self._at = now
        return self._level

    def take(self, amount: float) -> None:
        self._level -= amount
