"""A detector and a gallery that measure themselves, so that nothing that uses them need know of it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.faces import DEFAULT_SET_ID, DetectedFace, Embedding, Found, Image, SearchResult
from chalicelib.gallery.gallery import Contents, Gallery
from chalicelib.telemetry.metrics import Metric, measure
from chalicelib.vision.detector import Detector


class MeasuredDetector:
    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def detect(self, image: Image) -> Found[DetectedFace]:
        """See `Detector.detect`."""
        started = time.perf_counter()
        faces = self._detector.detect(image)
        measure(Metric.DETECT, (time.perf_counter() - started) * 1000)
        measure(Metric.FACES_FOUND, len(faces))
        return faces


class MeasuredGallery:
    def __init__(self, gallery: Gallery) -> None:
        self._gallery = gallery

    def search(
        self,
        embedding: Embedding,
        threshold: float,
        limit: int,
        *,
        without: str | None = None,
        set_id: int = DEFAULT_SET_ID,
    ) -> SearchResult:
        """See `Gallery.search`."""
        with self._measured():
            return self._gallery.search(embedding, threshold, limit, without=without, set_id=set_id)

    def search_people(
        self,
        embedding: Embedding,
        threshold: float,
        limit: int,
        *,
        without: str | None = None,
        set_id: int = DEFAULT_SET_ID,
    ) -> SearchResult:
        """See `Gallery.search_people`."""
        with self._measured():
            return self._gallery.search_people(embedding, threshold, limit, without=without, set_id=set_id)

    def contents(self) -> Contents:
        """See `Gallery.contents`."""
        return self._gallery.contents()

    @contextmanager
    def _measured(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        measure(Metric.SEARCH, (time.perf_counter() - started) * 1000)
        faces = self._gallery.contents().faces
        if faces is not None:
            measure(Metric.GALLERY_SIZE, faces)
