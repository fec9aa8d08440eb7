"""The simulated scenarios, with seeds: steady load, burst from nothing, deployment at full load, and additions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml  # type: ignore[import-untyped]

from infra.scaling import arithmetic
from infra.scaling.arithmetic import Gallery, Request
from infra.scaling.figures import GUESSED, LIMITS, MEASURED
from infra.scaling.simulation import Fleet, Report, Seconds, arrivals, simulate

SEED = 1
# The requests of a steady load, which are counted after it has settled for some seconds.
REQUESTS = 20_000
SHORTEST_SECONDS, SETTLING_SECONDS = 5.0, 2.0
# The shares of pictures of 640 x 480, 1280 x 720 and 4096 x 4096 pixels: a guess.
SIZES = (0.80, 0.19, 0.01)
ACCOUNT = int(LIMITS["Lambda, containers at work"].value)
# The spread of the time for stores and network: lognormal, with the 99th percentile 3.2 times the median; a guess.
SPREAD = 0.5
FULL_LOAD = 0.9
PARAMETERS = Path(__file__).parents[1] / "deploy" / "template" / "parameters.yaml"
LOCK_SECONDS = 1 / MEASURED["additions one by one"].value


@dataclass(frozen=True, slots=True)
class Steady:
    """A steady load on warm containers."""

    request: Request
    gallery: Gallery
    faces: int
    rate: float

    def service_seconds(self) -> float:
        return arithmetic.seconds(self.request, self.gallery, self.faces)

    def simulated(self) -> Report:
        rng = np.random.default_rng(SEED)
        lasts = max(REQUESTS / self.rate, SHORTEST_SECONDS) + SETTLING_SECONDS
        times = arrivals(self.rate, lasts, rng)
        fleet = _fleet(ACCOUNT, arithmetic.cold_seconds(self.gallery, self.faces), warm=ACCOUNT)
        services = service_times(self.request, self.service_seconds(), len(times), rng)
        return simulate(times, services, fleet, settled_at=SETTLING_SECONDS)


@dataclass(frozen=True, slots=True)
class Burst:
    """A sudden burst of searches while no container is running."""

    gallery: Gallery
    faces: int
    rate: float
    concurrency: int
    lasts: float = 30.0

    def simulated(self) -> Report:
        rng = np.random.default_rng(SEED)
        times = arrivals(self.rate, self.lasts, rng)
        fleet = _fleet(self.concurrency, arithmetic.cold_seconds(self.gallery, self.faces))
        service = arithmetic.seconds(Request.SEARCH, self.gallery, self.faces)
        return simulate(times, service_times(Request.SEARCH, service, len(times), rng), fleet)

    def starting_seconds(self) -> float:
        """Return the seconds until the first container has finished a request and can take the next."""
        return arithmetic.cold_seconds(self.gallery, self.faces) + arithmetic.seconds(
            Request.SEARCH, self.gallery, self.faces
        )

    def containers(self) -> float:
        """Return how many containers start: one for each request before the first is done, up to `concurrency`."""
        return min(self.rate * self.starting_seconds(), self.concurrency)

    def throttled(self) -> float:
        """Return the share of requests that arrive while all containers are starting."""
        return max(self.starting_seconds() - self.concurrency / self.rate, 0) / self.lasts


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment that replaces all containers at nine tenths of full load, with detections of 150 ms."""

    concurrency: int
    connections: int

    def simulated(self) -> Report:
        rng = np.random.default_rng(SEED)
        service = arithmetic.seconds(Request.DETECT, Gallery.MEMORY, 0)
        times = arrivals(FULL_LOAD * self.concurrency / service, 8.0, rng)
        cold = arithmetic.cold_seconds(Gallery.MEMORY, 0)
        fleet = _fleet(self.concurrency, cold, warm=self.concurrency, connections=self.connections)
        services = service_times(Request.DETECT, service, len(times), rng)
        return simulate(times, services, fleet, deployed_at=4.0)


@dataclass(frozen=True, slots=True)
class Additions:
    """Single additions, which wait for the log's counter."""

    rate: float

    def simulated(self) -> Report:
        rng = np.random.default_rng(SEED)
        times = arrivals(self.rate, REQUESTS / self.rate, rng)
        services = service_times(Request.ADD, arithmetic.seconds(Request.ADD, Gallery.MEMORY, 0), len(times), rng)
        fleet = _fleet(ACCOUNT, arithmetic.cold_seconds(Gallery.MEMORY, 0), warm=ACCOUNT)
        return simulate(times, services, fleet, locked_seconds=LOCK_SECONDS)


def deployments() -> dict[str, Deployment]:
    """Return the API function's limits in infra/deploy/template, by database class."""
    capacity = yaml.safe_load(PARAMETERS.read_text(encoding="utf-8"))["Mappings"]["Capacity"]
    return {name: Deployment(int(of["ApiConcurrency"]), int(of["Connections"])) for name, of in capacity.items()}


def _fleet(concurrency: int, cold_seconds: float, *, warm: int = 0, connections: int | None = None) -> Fleet:
    return Fleet(
        concurrency,
        cold_seconds,
        warm=warm,
        connections=connections,
        idle_seconds=GUESSED["an idle container is kept"].value,
        starts_at_once=LIMITS["Lambda, containers started at once"].value,
        starts_per_second=LIMITS["Lambda, containers started after that"].value,
    )


def service_times(request: Request, mean: float, count: int, rng: np.random.Generator) -> Seconds:
    """Return the seconds of each request, with this mean.

    The computing time of a picture is the measured time for its size, scaled to a slower core. The rest, for stores
    and network, is lognormal.
    """
    if request is Request.ADD:
        return mean * _spread(count, rng)
    names = ("640 x 480", "1280 x 720", "4096 x 4096")
    slower = GUESSED["Lambda's core, times slower"].value
    computing = np.array([MEASURED[f"picture to embeddings, {name}"].value for name in names]) * slower / 1_000
    rest = mean - float(computing @ SIZES)
    return rng.choice(computing, count, p=SIZES) + rest * _spread(count, rng)


def _spread(count: int, rng: np.random.Generator) -> Seconds:
    """Return random lognormal factors with mean 1."""
    return rng.lognormal(-SPREAD * SPREAD / 2, SPREAD, count)
