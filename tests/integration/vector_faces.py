"""A face set with a vector index, and galleries that query it."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from chalicelib.faces import Embedding, KnownFace, SearchResult, Terms
from chalicelib.gallery import snapshot
from chalicelib.gallery.index_changes import IndexChanges
from chalicelib.gallery.index_rebuild import IndexRebuild
from chalicelib.gallery.index_reconciliation import IndexReconciliation, IndexReport
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.gallery.vector_gallery import VectorGallery
from chalicelib.stores.aws.vector_store import VectorStore
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.stores.face_set.segments import SegmentStore
from chalicelib.stores.face_set.vector_indexes import UsedIndex, VectorIndexes
from tests.embeddings import MODEL
from tests.oracle import brute_force

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

DIMENSION = 128


class VectorFaces:
    """One database and one vector bucket. Changes are applied only when a test asks for it."""

    def __init__(self, database: Database, client: S3VectorsClient) -> None:
        self.client = client
        self.bucket = f"vectors-{secrets.token_hex(8)}"
        client.create_vector_bucket(vectorBucketName=self.bucket)
        self.database = database
        self.face_set = FaceSet(database)
        self.ranges = ModelChange(database)
        self.segments = SegmentStore(database)
        self.indexes = VectorIndexes(database)
        self.store = self.new_store()
        self.changes = IndexChanges(self.face_set, self.indexes, self.store)
        self.rebuild = IndexRebuild(self.face_set, self.ranges, self.indexes, self.store, self.changes)
        self.memory = MemoryGallery(self.face_set, self.segments, MODEL, DIMENSION)
        self.gallery = self.new_gallery()

    def new_store(self, patience_seconds: float = 0.0) -> VectorStore:
        return VectorStore(self.client, self.bucket, patience_seconds)

    def new_gallery(self, store: VectorStore | None = None) -> VectorGallery:
        """Return a gallery as a new container creates it."""
        memory = MemoryGallery(self.face_set, self.segments, MODEL, DIMENSION)
        store = store or self.store
        return VectorGallery(self.face_set, self.indexes, store, self.changes, memory, MODEL, DIMENSION)

    @property
    def used(self) -> UsedIndex:
        used = self.indexes.used(MODEL)
        assert used is not None
        return used

    def add(self, faces: list[KnownFace]) -> list[KnownFace]:
        self.face_set.add_many(faces)
        return faces

    def compact(self) -> int | None:
        return snapshot.compact(self.face_set, self.segments, self.indexes.oldest_version())

    def build(self) -> None:
        assert self.rebuild.run(MODEL, DIMENSION).used

    def indexed(self) -> dict[int, Embedding]:
        """Return the contents of the index in use."""
        pages = (page for part in range(2) for page in self.store.listed(self.used.name, part, 2))
        return {vector.face_id: vector.embedding for page in pages for vector in page}

    def expect(self, probe: KnownFace, threshold: float, limit: int = 10_000) -> SearchResult:
        """Search in a gallery that has followed every change and in a new one. Both must equal brute force."""
        expected = brute_force(self.face_set, MODEL, probe.embedding, threshold, limit, probe.token)
        for gallery in (self.gallery, self.new_gallery()):
            assert gallery.search(probe.embedding, Terms(threshold, limit, without=probe.token)) == expected
        return expected

    def expect_equal(self) -> None:
        """The index in use must hold every row's vector and no others."""
        rows = {row.id: row.embedding for row in self.face_set.vectors(0, 2**62) if row.embedding_id == MODEL}
        held = self.indexed()
        assert held.keys() == rows.keys()
        assert all(np.array_equal(held[face_id], rows[face_id]) for face_id in rows)

    def reconcile(self) -> IndexReport:
        report = self.reconciliation().run()
        assert report is not None
        return report

    def reconciliation(
        self, store: VectorStore | None = None, may_go_on: Callable[[], bool] = lambda: True
    ) -> IndexReconciliation:
        return IndexReconciliation(
            self.face_set,
            self.ranges,
            self.indexes,
            store or self.store,
            self.changes,
            self.new_gallery(store),
            MODEL,
            0.65,
            seed=1,
            may_go_on=may_go_on,
        )


def ids(faces: VectorFaces, known: Sequence[KnownFace]) -> list[int]:
    """Return the row ids of faces."""
    tokens = {face.token for face in known}
    every = [row.id for row in faces.face_set.vectors(0, 2**62)]
    return [row.id for row in faces.face_set.fetch(every, MODEL) if row.token in tokens]
