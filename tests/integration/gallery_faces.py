"""A face set with galleries that search it, and faces to add to it."""

from __future__ import annotations

import numpy as np

from chalicelib.faces import KnownFace, SearchResult, Terms
from chalicelib.gallery import snapshot
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.segments import Objects, SegmentStore
from tests.embeddings import MODEL, known_faces, unit_vectors
from tests.oracle import brute_force


class Faces:
    """A face set, and galleries that search it."""

    def __init__(self, database: Database, objects: Objects | None = None) -> None:
        self.face_set = FaceSet(database)
        self.segments = SegmentStore(database, objects, in_objects=objects is not None)
        self.gallery = self.new_gallery()

    def new_gallery(self) -> MemoryGallery:
        """Return a gallery as a new container creates it."""
        return MemoryGallery(self.face_set, self.segments, MODEL, 128)

    def add(self, faces: list[KnownFace]) -> list[KnownFace]:
        self.face_set.add_many(faces)
        return faces

    def compact(self) -> int | None:
        return snapshot.compact(self.face_set, self.segments)

    def expect(self, probe: KnownFace, threshold: float, limit: int = 10_000) -> SearchResult:
        """Search in a gallery that has followed every change and in a new one. Both must equal brute force."""
        expected = brute_force(self.face_set, MODEL, probe.embedding, threshold, limit, probe.token)
        for gallery in (self.gallery, self.new_gallery()):
            assert gallery.search(probe.embedding, Terms(threshold, limit, without=probe.token)) == expected
        return expected


def clustered(count: int, seed: int = 0) -> list[KnownFace]:
    """Faces of twenty people, 0.1 to 1.2 apart."""
    random = np.random.default_rng(seed)
    people = unit_vectors(20, seed=seed)
    spread = random.uniform(0.05, 0.6, (count, 1)) * unit_vectors(count, seed=seed + 1)
    return known_faces((people[random.integers(0, 20, count)] + spread).astype(np.float32))
