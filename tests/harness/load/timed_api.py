"""The API over HTTP, with times."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from tests.e2e.api import Query, Reply
from tests.e2e.http_api import HttpApi

_TOKEN = re.compile(r"^/faces/[A-Za-z0-9]{24}")


class Latencies:
    """The seconds of each request, by route; only one thread may write to an instance."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, list[float]] = defaultdict(list)
        self.statuses: defaultdict[int, int] = defaultdict(int)

    def add(self, method: str, path: str, status: int, seconds: float) -> None:
        self.seconds[f"{method} {_TOKEN.sub('/faces/{face_token}', path)}"].append(seconds)
        self.statuses[status] += 1


class TimedApi(HttpApi):
    def __init__(self, port: int, latencies: Latencies) -> None:
        super().__init__(port)
        self._latencies = latencies

    def carry(self, method: str, path: str, query: Query, content_type: str | None, body: bytes | None) -> Reply:
        started = time.perf_counter()
        reply = super().carry(method, path, query, content_type, body)
        self._latencies.add(method, path, reply.status, time.perf_counter() - started)
        return reply


def table(all_latencies: Sequence[Latencies], seconds: float) -> str:
    """Return a line for each route and one for all routes, for a run of `seconds`."""
    by_route: defaultdict[str, list[float]] = defaultdict(list)
    for latencies in all_latencies:
        for route, taken in latencies.seconds.items():
            by_route[route] += taken
    rows = [*sorted(by_route.items()), ("all", [one for taken in by_route.values() for one in taken])]
    lines = [f"{'route':<26} {'requests':>8} {'p50 ms':>8} {'p99 ms':>8} {'per s':>7}"]
    for route, taken in rows:
        p50, p99 = np.percentile(taken, [50, 99]) * 1000 if taken else (np.nan, np.nan)
        lines.append(f"{route:<26} {len(taken):>8,} {p50:>8,.0f} {p99:>8,.0f} {len(taken) / seconds:>7.1f}")
    return "\n".join(lines)
