"""Searches faces in this process's memory, kept current from the face set's change log."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from chalicelib.gallery import code_changes
from chalicelib.gallery.code_bounds import Candidates
from chalicelib.gallery.codes import CodeBook
from chalicelib.gallery.exact_search import ExactSearch
from chalicelib.gallery.gallery import Contents
from chalicelib.gallery.shared_lock import SharedLock
from chalicelib.gallery.snapshot import Loading
from chalicelib.stores.face_set.change_log import Change
from chalicelib.stores.face_set.face_set import MAX_CHANGES_PER_POLL, FaceSet
from chalicelib.stores.face_set.segments import SegmentStore


class MemoryGallery(ExactSearch):
    """Holds codes, ids and sets in memory: 180 bytes per face of 160 dimensions. The codes choose candidates.

    The first search loads the segments; every search then polls for changes. Thread-safe. Proposes every face that can
    match, so searches are exact.
    """

    def __init__(self, face_set: FaceSet, segments: SegmentStore, embedding_id: str, dimension: int) -> None:
        super().__init__(face_set, embedding_id)
        self._segments = segments
        self._dimension = dimension
        self._loading = threading.Lock()
        self._load_begun: Loading | None = None  # guarded by _loading
        self._lock = SharedLock()
        # Guarded by the lock: the codes, and the version of the face set that they reflect, None until loaded.
        self._codes = CodeBook(dimension)
        self._version: int | None = None

    def __len__(self) -> int:
        return len(self._codes)

    def propose(self, probes: NDArray[np.float64], threshold: float, most: int, set_id: int) -> list[Candidates]:
        """See `ExactSearch.propose`."""
        self.apply()
        with self._lock.shared():
            return self._codes.near_each(probes, threshold, most, set_id)

    def contents(self) -> Contents:
        """See `Gallery.contents`."""
        with self._lock.shared():
            return Contents(len(self._codes), self._version)

    def apply(self) -> int:
        """See `ExactSearch.apply`."""
        while True:
            version = self._version
            # Most polls find no change, and reading one row is cheaper than querying the log.
            state = self._face_set.state()
            self._check(state)
            if state.version == version:
                return version
            changes = None if version is None else self._face_set.changes_since(version, self._embedding_id)
            if changes is None:
                self._load(version)
                continue
            if changes:
                self._apply(changes)
            if len(changes) < MAX_CHANGES_PER_POLL:
                return changes[-1].version if changes else state.version

    def _load(self, outdated: int | None) -> None:
        """Reload all segments unless another thread has already replaced the outdated version.

        A load that takes longer than its request is continued by the next request.
        """
        with self._loading:
            if self._version != outdated:
                return
            if self._load_begun is None:
                self._load_begun = Loading(self._face_set, self._segments, self._embedding_id, self._dimension)
            self._load_begun.go_on()
            loaded, self._load_begun = self._load_begun, None
            with self._lock.exclusive():
                self._codes, self._version = loaded.codes, loaded.version

    def _apply(self, changes: list[Change]) -> None:
        with self._lock.exclusive():
            # Another thread may have applied the same changes or loaded an older version.
            version = self._version
            if version is None or changes[0].version > version + 1:
                return
            news = [change for change in changes if change.version > version]
            if news:
                code_changes.apply(self._codes, news)
                self._version = news[-1].version
