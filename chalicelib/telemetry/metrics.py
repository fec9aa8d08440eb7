"""Collects metrics while a request or function runs. Outside Lambda, measurements are dropped.

There are few metrics, as each custom metric costs money every month. API Gateway counts failed requests and latency for
free.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum


class Metric(Enum):
    """A metric's name in CloudWatch and its unit."""

    COLD_START = ("ColdStart", "Count")
    """1 for the first request of a container that was started for it."""
    FACES_FOUND = ("FacesFound", "Count")
    """Faces found in an uploaded picture."""
    DETECT = ("DetectMilliseconds", "Milliseconds")
    """Time of the detector for a picture."""
    SEARCH = ("SearchMilliseconds", "Milliseconds")
    """Time of the gallery for a search: polling the log, scanning, reading the candidates' rows; after a cold start
    also loading."""
    GALLERY_SIZE = ("GallerySize", "Count")
    """Faces in this container's gallery after a search; not measured for a vector index."""
    INDEX_BEHIND = ("IndexBehind", "Count")
    """Changes that the vector index still lacks after the scheduled function has applied what it could."""

    SKIPPED = ("SkippedRuns", "Count")
    """1 for a run of a scheduled function that left its work undone without a failure."""


Measures = list[tuple[Metric, float]]

_collected: ContextVar[Measures | None] = ContextVar("collected", default=None)


def measure(metric: Metric, value: float) -> None:
    measures = _collected.get()
    if measures is not None:
        measures.append((metric, value))


@contextmanager
def timed(metric: Metric) -> Iterator[None]:
    """Measure how many milliseconds the block takes, unless it raises."""
    started = time.perf_counter()
    yield
    measure(metric, (time.perf_counter() - started) * 1000)


@contextmanager
def collecting() -> Iterator[Measures]:
    """Yield a list that collects all measurements of this thread in the block."""
    measures: Measures = []
    token = _collected.set(measures)
    try:
        yield measures
    finally:
        _collected.reset(token)
