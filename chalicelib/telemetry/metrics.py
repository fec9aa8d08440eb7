"""What is measured while a request is answered, for whoever collects it; nobody does outside Lambda.

A custom metric costs money by the month, so there are few; how many requests fail and how long they take is what API
Gateway counts for nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum


class Metric(Enum):
    """The name in CloudWatch, and the unit."""

    COLD_START = ("ColdStart", "Count")
    """1 for the first request of a container that was started for it."""
    FACES_FOUND = ("FacesFound", "Count")
    """Faces in a picture of /detect or /search."""
    DETECT = ("DetectMilliseconds", "Milliseconds")
    """How long the detector took for a picture."""
    SEARCH = ("SearchMilliseconds", "Milliseconds")
    """How long the gallery took for a search: the poll of the log, the scan, the candidates' rows; after a cold start
    its loading too."""
    GALLERY_SIZE = ("GallerySize", "Count")
    """Faces in this container's gallery after a search; not where they are in a vector index."""
    INDEX_BEHIND = ("IndexBehind", "Count")
    """Changes of the face set that the vector index lacks after the scheduled function has applied what it could."""

    SKIPPED = ("SkippedRuns", "Count")
    """1 for a run of a scheduled function that has left its work undone, though nothing has failed."""


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
    """Yield a list to which everything is added that this thread measures in the block."""
    measures: Measures = []
    token = _collected.set(measures)
    try:
        yield measures
    finally:
        _collected.reset(token)
