"""Fills a vector index beside the one in use, then switches searches to the new index."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import NamedTuple

from chalicelib.gallery.index_changes import IndexChanges, LogPrunedError, Turn
from chalicelib.stores.aws.vector_store import IndexGoneError, StoredVector, VectorStore
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.stores.face_set.vector_indexes import VectorIndexes

_log = logging.getLogger(__name__)


class Rebuilt(NamedTuple):
    """The number of vectors that a run has written, and whether searches use the new index."""

    written: int
    used: bool


class IndexRebuild:
    """Builds a vector index. A killed run can be resumed. One run writes at a time; faces may change meanwhile."""

    def __init__(
        self,
        face_set: FaceSet,
        ranges: ModelChange,
        indexes: VectorIndexes,
        vectors: VectorStore,
        changes: IndexChanges,
    ) -> None:
        self._face_set = face_set
        self._ranges = ranges
        self._indexes = indexes
        self._vectors = vectors
        self._changes = changes
        self._written = 0

    def run(
        self,
        embedding_id: str,
        dimension: int,
        may_go_on: Callable[[], bool] = lambda: True,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Rebuilt:
        """Fill an index with all vectors of a model, apply the changes made meanwhile, and switch searches to it.

        Parameters
        ----------
        may_go_on
            Called before every range of ids and every step. False ends the run; the next run continues it.
        progress
            Called with a line of text about the progress.

        Raises
        ------
        ServiceError
            As the stores do.
        """
        turn = self._changes.claim(self._indexes.begin(embedding_id, dimension))
        if turn is None:
            return Rebuilt(0, used=False)
        self._written = 0
        try:
            if turn.row.next_id == 0:
                self._vectors.create(turn.row.name, dimension)
            used = self._fill(turn, may_go_on, progress) and self._catch_up_and_use(turn, may_go_on)
        except (LogPrunedError, IndexGoneError) as error:
            _log.warning(
                "retired the unfinished vector index, which can no longer be completed: %s", type(error).__name__
            )
            self._indexes.retire(turn.row.name)
            used = False
        finally:
            turn.end()
        self._changes.delete_retired()
        return Rebuilt(self._written, used)

    def _fill(self, turn: Turn, may_go_on: Callable[[], bool], progress: Callable[[str], None]) -> bool:
        """Return False when `may_go_on` ended the run or another run has claimed the index."""
        for first, end in self._ranges.ranges():
            if first < turn.row.next_id:
                continue
            if not may_go_on():
                return False
            rows = [row for row in self._face_set.vectors(first, end) if row.embedding_id == turn.row.embedding_id]
            if not turn.write([StoredVector(row.id, row.embedding, row.set_id) for row in rows]):
                return False
            if not turn.state(next_id=end):
                return False
            self._written += len(rows)
            progress(f"{self._written:,} vectors written, up to the face with the id {end - 1:,}")
        return True

    def _catch_up_and_use(self, turn: Turn, may_go_on: Callable[[], bool]) -> bool:
        while may_go_on():
            more = turn.step()
            if more is None:
                return False
            # Other processes write to the index in use, so either index may be ahead at any moment.
            if self._indexes.use(turn.row):
                return True
        return False
