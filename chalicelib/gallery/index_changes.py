"""Applies the face set's changes to vector indexes: in order, one writer per index, retried until recorded."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from chalicelib.stores.aws.vector_store import MAX_VECTORS_WRITTEN, IndexGoneError, StoredVector, VectorStore
from chalicelib.stores.face_set.change_log import Change, Operation
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.vector_indexes import LEASE_SECONDS, IndexState, VectorIndexes, VectorIndexRow

# Changes per recorded step of an index's progress: one request, or two when faces were removed too.
CHANGES_PER_STEP = MAX_VECTORS_WRITTEN
# A lease this old is renewed before the next request. That request, with retries for up to half a minute, then finishes
# before the lease ends. A later write could bring back a face that was removed meanwhile.
RENEWED_AFTER_SECONDS = LEASE_SECONDS / 4
PATIENCE_SECONDS = LEASE_SECONDS / 2

_log = logging.getLogger(__name__)


class LogPrunedError(Exception):
    """The log no longer has all changes that an index lacks: the index must be rebuilt."""


class Turn:
    """The right to write to an index, and the index's progress; lost when another writer claims the index.

    Parameters
    ----------
    row
        The row returned by `VectorIndexes.claim`.
    """

    def __init__(
        self,
        face_set: FaceSet,
        indexes: VectorIndexes,
        vectors: VectorStore,
        row: VectorIndexRow,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._face_set = face_set
        self._indexes = indexes
        self._vectors = vectors
        self.row = row
        self._clock = clock
        self._renewed = clock()

    def step(self) -> bool | None:
        """Apply the next changes.

        Returns
        -------
        bool or None
            True when more changes may follow, False when there are none, None when the turn is lost.

        Raises
        ------
        LogPrunedError
            When the log no longer has all changes since the index's version.
        IndexGoneError
            When the index was deleted.
        ServiceError
            As the stores do. Vectors already written stay; the next writer writes them again.
        """
        changes = self._face_set.changes_since(self.row.version, self.row.embedding_id, CHANGES_PER_STEP)
        if changes is None:
            raise LogPrunedError
        if not changes:
            return False
        put, removed = _outcome(changes)
        if not (self.write(put) and self.erase(removed) and self.state(version=changes[-1].version)):
            return None
        return True

    def write(self, vectors: list[StoredVector]) -> bool:
        """Write any number of vectors; return False when the turn is lost."""
        for start in range(0, len(vectors), MAX_VECTORS_WRITTEN):
            if not self._may_write():
                return False
            self._vectors.put(self.row.name, vectors[start : start + MAX_VECTORS_WRITTEN])
        return True

    def erase(self, face_ids: list[int]) -> bool:
        """Erase any number of vectors; return False when the turn is lost."""
        for start in range(0, len(face_ids), MAX_VECTORS_WRITTEN):
            if not self._may_write():
                return False
            self._vectors.delete(self.row.name, face_ids[start : start + MAX_VECTORS_WRITTEN])
        return True

    def state(self, *, version: int | None = None, next_id: int | None = None) -> bool:
        """Record the index's progress and renew the lease; return False when the turn is lost."""
        at = self._clock()
        later = self._indexes.advance(self.row, version=version, next_id=next_id)
        if later is None:
            return False
        self.row, self._renewed = later, at
        return True

    def end(self) -> None:
        self._indexes.release(self.row)

    def _may_write(self) -> bool:
        return self._clock() - self._renewed < RENEWED_AFTER_SECONDS or self.state()


class IndexChanges:
    """Applies changes to all indexes. Several processes may do so at once; each index has one writer at a time."""

    def __init__(
        self,
        face_set: FaceSet,
        indexes: VectorIndexes,
        vectors: VectorStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._face_set = face_set
        self._indexes = indexes
        self._vectors = vectors
        self._clock = clock

    def claim(self, name: str) -> Turn | None:
        """Begin a turn; return None while another writer has one, or when the index is gone."""
        row = self._indexes.claim(name)
        return None if row is None else Turn(self._face_set, self._indexes, self._vectors, row, self._clock)

    def apply(self, may_go_on: Callable[[], bool] = lambda: True) -> None:
        """Apply pending changes to the indexes in use, of all models; skip an index that another writer holds.

        Parameters
        ----------
        may_go_on
            Called before every step; False ends the run.

        Raises
        ------
        ServiceError
            As the stores do.
        """
        for row in self._indexes.all():
            if row.state is IndexState.USED:
                self._bring_up(row.name, may_go_on)

    def behind(self) -> int:
        """Return the number of changes that the oldest index in use lacks."""
        used = [row.version for row in self._indexes.all() if row.state is IndexState.USED]
        return max(0, self._face_set.version() - min(used)) if used else 0

    def delete_retired(self) -> None:
        """Delete the retired indexes."""
        for row in self._indexes.all():
            if row.state is IndexState.RETIRED:
                self._vectors.delete_index(row.name)
                self._indexes.drop(row.name)

    def _bring_up(self, name: str, may_go_on: Callable[[], bool]) -> None:
        turn = self.claim(name)
        if turn is None:
            return
        try:
            while may_go_on() and turn.step():
                pass
        except (LogPrunedError, IndexGoneError) as error:
            if any(row.name == name and row.state is IndexState.USED for row in self._indexes.all()):
                _log.error("the vector index %s must be rebuilt: %s", name, type(error).__name__)
        finally:
            turn.end()


def _outcome(changes: list[Change]) -> tuple[list[StoredVector], list[int]]:
    """Return the vectors to write and the ids to erase after the changes."""
    removed = {change.face_id for change in changes if change.operation is Operation.REMOVE}
    put = {
        change.face_id: StoredVector(change.face_id, change.embedding, change.set_id)
        for change in changes
        if change.operation is Operation.ADD and change.embedding is not None and change.set_id is not None
    }
    return [vector for face_id, vector in put.items() if face_id not in removed], sorted(removed)
