"""Computes latency, containers, connections, partitions and cost with Little's law and queueing formulas."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from infra.deploy import costs, prices
from infra.scaling.figures import BANDWIDTHS, CLASSES, GUESSED, LIMITS, MEASURED

MEBIBYTE = 1 << 20
# A face of the recommended pack in a segment: 160 bytes of code and its id.
PACKED_BYTES = 168
# Functions other than the API; each has one container (infra/deploy/template/parameters.yaml).
OTHER_FUNCTIONS = 7
SECONDS_A_MONTH = costs.HOURS * 3_600


class Gallery(StrEnum):
    MEMORY = "memory"
    S3_VECTORS = "s3vectors"


class Request(StrEnum):
    DETECT = "detect"
    ADD = "add"
    SEARCH = "search"


def seconds(request: Request, gallery: Gallery, faces: int) -> float:
    """Return the seconds of a request in a warm container; a search is one with a picture."""
    if request is Request.ADD:
        put = GUESSED["a put of S3 Vectors"].value if gallery is Gallery.S3_VECTORS else 0.0
        return (GUESSED["an addition on Lambda"].value + put) / 1_000
    picture = GUESSED["a picture's request on Lambda"].value / 1_000
    if request is Request.DETECT:
        return picture
    if gallery is Gallery.S3_VECTORS:
        return picture + GUESSED["a query of S3 Vectors, warm"].value / 1_000
    return picture + scan_seconds(faces)


def scan_seconds(faces: int) -> float:
    """Return the seconds of a search in memory, by linear interpolation between the measured sizes."""
    sizes = (10_000, 1_000_000, 10_000_000)
    names = ("search, 10,000 faces", "search, 1 million faces", "search, 10 million faces")
    measured = [MEASURED[name].value / 1_000 for name in names]
    after = next((i for i, size in enumerate(sizes) if faces <= size), len(sizes) - 1) or 1
    slope = (measured[after] - measured[after - 1]) / (sizes[after] - sizes[after - 1])
    return measured[after - 1] + slope * (faces - sizes[after - 1])


def cold_seconds(gallery: Gallery, faces: int) -> float:
    """Return the seconds that a container's start adds to its first search."""
    start = GUESSED["a container's start"].value / 1_000
    if gallery is Gallery.S3_VECTORS:
        return start
    return start + load_seconds(faces)


def load_seconds(faces: int, server: str | None = None, at_once: int = 1) -> float:
    """Return the seconds in which each of some containers loads the gallery.

    Its bytes come from S3, which serves each container at the container's own bandwidth, or from a database server of a
    class, which divides its bandwidth among them. Computing goes on meanwhile.
    """
    bandwidth = GUESSED["a container's bandwidth"].value
    if server is not None:
        bandwidth = min(bandwidth, BANDWIDTHS[server] / at_once)
    return max(MEASURED["cold load from segments"].value * faces / 1e6, PACKED_BYTES * faces / 1e6 / bandwidth)


def memory_mb(gallery: Gallery, faces: int) -> float:
    """Return a container's memory in Lambda's MB (1024 * 1024 bytes), at least 1769, which gives one CPU."""
    needed = MEASURED["memory after 200 mixed requests"].value * 1e6
    if gallery is Gallery.MEMORY:
        needed += MEASURED["memory a face, at 10 million"].value * faces
    return max(1_769, math.ceil(needed / MEBIBYTE))


def fits(gallery: Gallery, faces: int) -> bool:
    """Return whether a container can hold the gallery and load it within API Gateway's time limit."""
    loaded = cold_seconds(gallery, faces) + seconds(Request.SEARCH, gallery, faces)
    return (
        memory_mb(gallery, faces) <= LIMITS["Lambda, memory"].value and loaded <= LIMITS["API Gateway, a reply"].value
    )


def containers(rate: float, service_seconds: float) -> float:
    """Return the mean number of busy containers, by Little's law."""
    return rate * service_seconds


def blocked(offered: float, servers: int) -> float:
    """Return the share of requests that finds all servers busy, by Erlang's B formula for Poisson arrivals."""
    share = 1.0
    for number in range(1, servers + 1):
        share = offered * share / (number + offered * share)
    return share


def lock_wait(rate: float, held_seconds: float) -> float:
    """Return the mean wait in seconds for a lock held equally long each time: Pollaczek-Khinchine for M/D/1."""
    utilisation = rate * held_seconds
    return math.inf if utilisation >= 1 else utilisation * held_seconds / (2 * (1 - utilisation))


def connections(at_work: float) -> int:
    """Return the max_connections that a number of busy API containers needs.

    This is twice the containers of all functions, because connections from before a deployment linger, plus ten.
    """
    return 2 * (math.ceil(at_work) + OTHER_FUNCTIONS) + 10


def database_class(at_work: float) -> str | None:
    """Return the smallest class with enough connections; None if no class has them."""
    return next((name for name, (most, _) in CLASSES.items() if connections(at_work) <= most), None)


@dataclass(frozen=True, slots=True)
class Demand:
    """The operations that a request with one face needs from a part of the service."""

    limit: str
    detect: float = 0
    add: float = 0
    search: float = 0

    def of(self, request: Request) -> float:
        return float(getattr(self, request.value))


# A face's item is below 1 KB to write and below 4 KB to read, and a copy in S3 counts as a PUT. A search with a picture
# also stores a token; it reads its face set's number, polls, and reads rows.
DEMANDS = (
    Demand("API Gateway, requests", 1, 1, 1),
    Demand("MySQL, additions", add=1),
    Demand("MySQL, polls and short reads", add=2, search=3),
    Demand("DynamoDB, writes", detect=1, search=1),
    Demand("DynamoDB, reads", add=1),
    Demand("S3, PUT and COPY", 1, 1, 1),
)
# One process at a time applies changes to an index, up to 500 a request: some ten requests a second.
INDEX_DEMANDS = (
    Demand("S3 Vectors, vectors written", add=1),
    Demand("S3 Vectors, queries", search=1),
)


def million(request: Request, gallery: Gallery, faces: int) -> dict[str, float]:
    """Return the cost of a million requests in US dollars, by part, with the prices and assumptions of docs/costs.md.

    Additions are applied to an index one by one, as happens at a few additions a second.
    """
    gb_seconds = 1e6 * seconds(request, gallery, faces) * memory_mb(gallery, faces) / 1_024
    parts = {
        "Lambda": prices.usd("Lambda, arm64", gb_seconds) + prices.usd("Lambda, request"),
        "API Gateway": prices.usd("API Gateway, REST") + prices.usd("Traffic to the internet", 1e6 * costs.REPLY_GB),
        "S3": prices.usd("S3, PUT"),
        "DynamoDB": prices.usd("DynamoDB, read"),
        "logs": prices.usd("CloudWatch, logs", 1e6 * costs.LOG_GB),
    }
    if request is not Request.ADD:
        parts["S3"] += prices.usd("S3, storage", 1e6 * costs.CROP_GB * costs.TEMPORARY_DAYS / 30)
        parts["DynamoDB"] = prices.usd("DynamoDB, write", costs.TOKEN_WRITE_UNITS)
    if gallery is Gallery.S3_VECTORS and request is Request.SEARCH:
        parts["S3 Vectors"] = 1e6 * costs.vector_query(faces)
    elif gallery is Gallery.S3_VECTORS and request is Request.ADD:
        parts["S3 Vectors"] = 1e6 * costs.vector_put(1)
    return parts


def month(gallery: Gallery, faces: int, rate: float) -> dict[str, float] | None:
    """Return the cost of a month at a constant rate in US dollars, by part; None if the gallery does not fit.

    Of three requests, one is a /detect and two are searches with a picture, as in docs/costs.md. The database is the
    smallest class with enough connections, with a standby server and some 1 KB of storage a face.
    """
    if not fits(gallery, faces):
        return None
    requests = rate * SECONDS_A_MONTH
    shares = {Request.DETECT: costs.DETECT_SHARE, Request.SEARCH: 1 - costs.DETECT_SHARE}
    server = database_class(rate * sum(share * seconds(request, gallery, faces) for request, share in shares.items()))
    assert server
    storage_gb = max(costs.STORAGE_GB, faces / 1e6)
    parts = {"database": 2 * (CLASSES[server][1] * costs.HOURS + prices.usd("RDS, gp3", storage_gb))}
    for request, share in shares.items():
        for part, cost in million(request, gallery, faces).items():
            parts[part] = parts.get(part, 0) + cost * share * requests / 1e6
    parts["S3"] += prices.usd("S3, storage", costs.CROP_GB * faces)
    if gallery is Gallery.S3_VECTORS:
        copies = index_copies(rate * shares[Request.SEARCH])
        kept = costs.vector_storage(faces) + costs.vector_comparison(faces)
        parts["S3 Vectors"] += costs.idle_endpoint() + copies * kept
    return parts


def index_copies(searches_a_second: float) -> int:
    """Return how many copies of an index a search rate needs. Splitting does not help: each search asks all parts."""
    return max(1, math.ceil(searches_a_second / LIMITS["S3 Vectors, queries"].value))
