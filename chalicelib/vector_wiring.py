"""Builds the S3 Vectors gallery; used only with GALLERY=s3vectors."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from chalicelib.errors import ServiceError
from chalicelib.faces import REFERENCE_THRESHOLD
from chalicelib.gallery.index_changes import PATIENCE_SECONDS, IndexChanges
from chalicelib.gallery.index_rebuild import IndexRebuild
from chalicelib.gallery.index_reconciliation import IndexReconciliation
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.gallery.vector_gallery import VectorGallery
from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.vector_store import VectorStore
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.stores.face_set.segments import SegmentStore
from chalicelib.stores.face_set.vector_indexes import VectorIndexes

# How long a search retries when the index throttles or cannot be reached.
SEARCH_PATIENCE_SECONDS = 2.0
# How long a request that changed the face set applies changes to the index; the scheduled function applies the rest.
MAX_SECONDS_AT_ONCE = 2.0

log = logging.getLogger(__name__)


class VectorWiring:
    """The components for vector indexes, each built on its first use.

    Parameters
    ----------
    database
        The face set's database.
    bucket
        The name of the vector bucket.
    """

    def __init__(self, database: Database, bucket: str) -> None:
        self._database = database
        self._bucket = bucket
        self._lock = threading.Lock()
        self._stores: dict[float, VectorStore] = {}
        self.indexes = VectorIndexes(database)

    def store(self, patience_seconds: float = PATIENCE_SECONDS) -> VectorStore:
        with self._lock:  # two threads may call this at once
            store = self._stores.get(patience_seconds)
            if store is None:
                store = VectorStore(sdk.client("s3vectors", max_attempts=1), self._bucket, patience_seconds)
                self._stores[patience_seconds] = store
            return store

    @property
    def changes(self) -> IndexChanges:
        """Applies changes with retries for PATIENCE_SECONDS; for callers that have time to wait."""
        return IndexChanges(FaceSet(self._database), self.indexes, self.store())

    @property
    def rebuild(self) -> IndexRebuild:
        return IndexRebuild(
            FaceSet(self._database), ModelChange(self._database), self.indexes, self.store(), self.changes
        )

    def gallery(self, before: MemoryGallery, embedding_id: str, dimension: int) -> VectorGallery:
        return VectorGallery(
            FaceSet(self._database),
            self.indexes,
            self.store(SEARCH_PATIENCE_SECONDS),
            self.changes,
            before,
            embedding_id,
            dimension,
        )

    def reconciliation(self, embedding_id: str, dimension: int, may_go_on: Callable[[], bool]) -> IndexReconciliation:
        """Return the reconciliation of a model's index; it measures recall within the reference threshold."""
        face_set, ranges = FaceSet(self._database), ModelChange(self._database)
        memory = MemoryGallery(face_set, SegmentStore(self._database), embedding_id, dimension)
        gallery = self.gallery(memory, embedding_id, dimension)
        store, changes = self.store(), self.changes
        return IndexReconciliation(
            face_set,
            ranges,
            self.indexes,
            store,
            changes,
            gallery,
            embedding_id,
            REFERENCE_THRESHOLD,
            may_go_on=may_go_on,
        )

    def try_at_once(self) -> None:
        """Apply a new change to the index now, for up to MAX_SECONDS_AT_ONCE. Never raises.

        Leaves the change to the scheduled function when time is up or a store fails. If another process holds the
        index, does nothing.
        """
        end = time.monotonic() + MAX_SECONDS_AT_ONCE
        try:
            changes = IndexChanges(FaceSet(self._database), self.indexes, self.store(0.0))
            changes.apply(lambda: time.monotonic() < end)
        except ServiceError:
            log.warning("a change is left for the scheduled function to apply to the vector index")
        except Exception:  # the change is already committed and must be answered
            log.exception("a change is left for the scheduled function to apply to the vector index")
