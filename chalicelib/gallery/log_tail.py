"""Searches the end of the change log, which a vector index has not applied yet."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from chalicelib.gallery import code_changes
from chalicelib.gallery.code_bounds import Candidates
from chalicelib.gallery.codes import CodeBook
from chalicelib.stores.face_set.change_log import Operation
from chalicelib.stores.face_set.face_set import MAX_CHANGES_PER_POLL, FaceSet


class LogTail:
    """The faces added after one version and up to another. Not thread-safe.

    Follows the log as MemoryGallery does, and drops faces once the index has applied them.
    """

    def __init__(self, face_set: FaceSet, embedding_id: str, dimension: int) -> None:
        self._face_set = face_set
        self._embedding_id = embedding_id
        self._dimension = dimension
        self._after = self._upto = 0
        self._codes = CodeBook(dimension)
        # The version and the face id of each addition held.
        self._added: deque[tuple[int, int]] = deque()

    def __len__(self) -> int:
        """Return the number of changes, not faces."""
        return self._upto - self._after

    def follow(self, applied: int, present: int) -> bool:
        """Hold the faces added after the version `applied`, up to `present` or later.

        Returns False when the log no longer has all these changes.
        """
        if not self._after <= applied <= self._upto:
            self._begin_after(applied)
        while self._upto < present:
            changes = self._face_set.changes_since(self._upto, self._embedding_id, MAX_CHANGES_PER_POLL)
            if not changes:
                self._begin_after(applied)
                return False
            code_changes.apply(self._codes, changes)
            self._added.extend((c.version, c.face_id) for c in changes if c.operation is Operation.ADD)
            self._upto = changes[-1].version
        self._let_go(applied)
        return True

    def near_each(self, probes: NDArray[np.float64], threshold: float, most: int, set_id: int) -> list[Candidates]:
        """See `CodeBook.near_each`."""
        return self._codes.near_each(probes, threshold, most, set_id)

    def _let_go(self, applied: int) -> None:
        gone = []
        while self._added and self._added[0][0] <= applied:
            gone.append(self._added.popleft()[1])
        # A face that was embedded again stays, as the index may lack its later addition.
        staying = {face_id for _, face_id in self._added} if gone else set()
        gone = [face_id for face_id in gone if face_id not in staying]
        if gone:
            self._codes.remove(np.array(gone, np.int64))
        self._after = applied

    def _begin_after(self, version: int) -> None:
        self._after = self._upto = version
        self._codes = CodeBook(self._dimension)
        self._added.clear()
