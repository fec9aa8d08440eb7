"""A discrete-event simulation of containers and their database connections.

Its model of Lambda: a container handles one request at a time. A request takes the container that has been idle for the
shortest time, or starts one. Requests beyond `concurrency`, or beyond the starts that a token bucket allows, are
throttled (429).

Its model of MySQL: each container has one connection from its first request on. An ended container does not close its
connection; the server closes it after wait_timeout. Additions hold one lock, in the order of their requests.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Seconds = NDArray[np.float64]
# wait_timeout of infra/deploy/template/database.yaml.
LINGERING_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Fleet:
    """A function's containers and the limit of their connections.

    Attributes
    ----------
    concurrency
        The largest number of busy containers.
    warm
        The number of idle containers at the beginning.
    starts_at_once, starts_per_second
        Size and rate of the token bucket of starts.
    """

    concurrency: int
    cold_seconds: float
    warm: int = 0
    connections: int | None = None
    idle_seconds: float = math.inf
    starts_at_once: float = math.inf
    starts_per_second: float = math.inf


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of the requests after `settled_at`, and the resources in use.

    Attributes
    ----------
    busy
        Mean number of busy containers when a request arrives.
    throttled, refused
        Shares of the requests that found no container, and that found a container but no connection.
    waited
        Mean wait for the lock, in seconds.
    """

    requests: int
    busy: float
    peak_busy: int
    started: int
    throttled: float
    refused: float
    peak_connections: int
    p50: float
    p99: float
    waited: float


def arrivals(rate: float, seconds: float, rng: np.random.Generator) -> Seconds:
    """Return the arrival times of a Poisson process in seconds, in order."""
    times = np.cumsum(rng.exponential(1 / rate, int(rate * seconds * 1.2) + 50))
    return times[times < seconds]


class _Containers:
    """The running containers, and the open connections of ended ones."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.idle = deque([0.0] * fleet.warm)  # when each became idle, earliest first
        self.busy: list[tuple[float, int]] = []  # when each will be done, and its deployment
        self._lingering: list[float] = []  # when the server closes each connection
        self._deployment = 0
        self._starts, self._refilled = fleet.starts_at_once, 0.0

    @property
    def connections(self) -> int:
        return len(self.idle) + len(self.busy) + len(self._lingering)

    def pass_time(self, now: float) -> None:
        while self.busy and self.busy[0][0] <= now:
            done, deployment = heapq.heappop(self.busy)
            if deployment == self._deployment:
                self.idle.append(done)
            else:
                self._end(done)
        while self.idle and self.idle[0] + self._fleet.idle_seconds <= now:
            self._end(self.idle.popleft() + self._fleet.idle_seconds)
        while self._lingering and self._lingering[0] <= now:
            heapq.heappop(self._lingering)
        if now > self._refilled:
            refill = (now - self._refilled) * self._fleet.starts_per_second
            self._starts, self._refilled = min(self._fleet.starts_at_once, self._starts + refill), now

    def replace_all(self, now: float) -> None:
        """Deploy: end idle containers now, and busy containers when they are done."""
        while self.idle:
            self.idle.pop()
            self._end(now)
        self._deployment += 1

    def take(self) -> float | None:
        """Return the seconds until a container begins a request; None if the request is throttled."""
        if len(self.busy) >= self._fleet.concurrency:
            return None
        if self.idle:
            self.idle.pop()
            return 0.0
        if self._starts < 1:
            return None
        self._starts -= 1
        return self._fleet.cold_seconds

    def has_connection_to_spare(self) -> bool:
        return self._fleet.connections is None or self.connections < self._fleet.connections

    def work_until(self, done: float) -> None:
        heapq.heappush(self.busy, (done, self._deployment))

    def _end(self, at: float) -> None:
        heapq.heappush(self._lingering, at + LINGERING_SECONDS)


def simulate(
    times: Seconds,
    services: Seconds,
    fleet: Fleet,
    *,
    locked_seconds: float = 0.0,
    deployed_at: float | None = None,
    settled_at: float = 0.0,
) -> Report:
    """Run requests through a fleet.

    Parameters
    ----------
    times, services
        When each request arrives, in order, and its duration in seconds without waiting.
    locked_seconds
        How long each request holds the lock, in seconds. It takes the lock before its other work.
    deployed_at
        The time at which all containers are replaced.
    settled_at
        Requests before this time count in the report only for peaks and starts.
    """
    containers = _Containers(fleet)
    seen, latencies, waits = [], [], []
    throttled = refused = peak_busy = peak_connections = started = 0
    lock_free = 0.0
    for now, service in zip(times.tolist(), services.tolist(), strict=True):
        containers.pass_time(now)
        if deployed_at is not None and now >= deployed_at:
            containers.replace_all(now)
            deployed_at = None
        counts = now >= settled_at
        if counts:
            seen.append(len(containers.busy))
        begins_after = containers.take()
        if begins_after is None:
            throttled += counts
            continue
        started += begins_after > 0
        if begins_after and not containers.has_connection_to_spare():
            refused += counts
            continue
        begins = now + begins_after
        waited = max(lock_free - begins, 0.0) if locked_seconds else 0.0
        lock_free = begins + waited + locked_seconds
        done = begins + waited + service
        containers.work_until(done)
        peak_busy = max(peak_busy, len(containers.busy))
        peak_connections = max(peak_connections, containers.connections)
        if counts:
            latencies.append(done - now)
            waits.append(waited)
    requests = len(seen)
    p50, p99 = np.percentile(latencies, [50, 99]) if latencies else (float("nan"), float("nan"))
    return Report(
        requests=requests,
        busy=float(np.mean(seen)),
        peak_busy=peak_busy,
        started=started,
        throttled=throttled / requests,
        refused=refused / requests,
        peak_connections=peak_connections,
        p50=float(p50),
        p99=float(p99),
        waited=float(np.mean(waits)) if waits else 0.0,
    )
