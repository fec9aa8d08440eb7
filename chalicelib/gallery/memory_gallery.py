"""A gallery in this process's memory, kept current from the face set's change log."""

from __future__ import annotations

import sys
import threading

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import DEFAULT_SET_ID, Embedding, Match, SearchResult
from chalicelib.gallery import snapshot
from chalicelib.gallery.codes import Candidates, CodeBook, Ids, encode
from chalicelib.gallery.people import People
from chalicelib.gallery.shared_lock import SharedLock
from chalicelib.stores.active_model import ModelChangedError, State, check_model
from chalicelib.stores.change_log import Operation
from chalicelib.stores.face_set import MAX_CHANGES_PER_POLL, MAX_IDS_PER_STATEMENT, Change, FaceSet
from chalicelib.stores.segments import SegmentStore


class MemoryGallery:
    """140 bytes a face of 128 dimensions: the codes that choose candidates, ids and sets. The rows decide.

    Loaded from the segments when first asked; from then on every search begins with one poll of the change log. Any
    number of threads may search at once. Once the face set has been put under another model it is of no use any more,
    and says so by ModelChangedError, even when the model is the same again.
    """

    def __init__(self, face_set: FaceSet, segments: SegmentStore, embedding_id: str, dimension: int) -> None:
        self._face_set = face_set
        self._segments = segments
        self._embedding_id = embedding_id
        self._dimension = dimension
        self._loading = threading.Lock()
        self._lock = SharedLock()
        # Guarded by the lock: the codes, and the version of the face set that they show. None: not loaded.
        self._codes = CodeBook(dimension)
        self._version: int | None = None
        # The face set's, before it was loaded.
        self._switches: int | None = None

    def __len__(self) -> int:
        return len(self._codes)

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
        probe = embedding.astype(np.float64)
        # One more than asked for tells whether there are more; another stands for the face to leave out.
        most = limit + 1 + (without is not None)
        while True:
            self.refresh()
            with self._lock.shared():
                candidates = self._codes.near(probe, threshold, most, set_id)
            found = self._decide(probe, candidates, threshold, limit, without)
            if found is not None:
                return found

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
        probe = embedding.astype(np.float64)
        self.refresh()
        with self._lock.shared():
            candidates = self._codes.near(probe, threshold, sys.maxsize, set_id)
        people = People()
        for start in range(0, len(candidates.ids), MAX_IDS_PER_STATEMENT):
            found, _ = self._measure(probe, candidates.ids[start : start + MAX_IDS_PER_STATEMENT], threshold, without)
            for _, row_id, match in found:
                people.add(row_id, match)
        # Rows that are gone were removed, or discarded after the model was changed.
        self._check(self._face_set.state())
        return people.nearest(limit)

    def refresh(self) -> None:
        """Show every change that was committed before this call."""
        while True:
            version = self._version
            # Most polls bring no news: one row is cheaper to ask for than a log that has no entries.
            state = self._face_set.state()
            self._check(state)
            if state.version == version:
                return
            changes = None if version is None else self._face_set.changes_since(version, self._embedding_id)
            if changes is None:
                self._load(version)
                continue
            if changes:
                self._apply(changes)
            if len(changes) < MAX_CHANGES_PER_POLL:
                return

    def _check(self, state: State) -> None:
        check_model(state.embedding_id, self._embedding_id)
        if self._switches is None:
            self._switches = state.switches
        if self._switches != state.switches:
            raise ModelChangedError(state.embedding_id)

    def _load(self, outdated: int | None) -> None:
        """Read all segments anew, unless another thread has replaced the outdated version meanwhile."""
        with self._loading:
            if self._version != outdated:
                return
            codes = CodeBook(self._dimension)
            version = snapshot.load(self._segments, self._embedding_id, codes)
            with self._lock.exclusive():
                self._codes, self._version = codes, version

    def _apply(self, changes: list[Change]) -> None:
        with self._lock.exclusive():
            # Another thread may have polled the same changes, or an older state may have been loaded.
            version = self._version
            if version is None or changes[0].version > version + 1:
                return
            news = [change for change in changes if change.version > version]
            added = {
                change.face_id: (change.embedding, change.set_id) for change in news if change.embedding is not None
            }
            ids = np.fromiter(added, np.int64, len(added))
            unknown = self._codes.unknown(ids)
            if unknown.any():
                embeddings, sets = zip(*added.values(), strict=True)
                self._codes.add(encode(ids[unknown], np.stack(embeddings)[unknown], np.array(sets, np.int32)[unknown]))
            # After the additions: an id is never used twice, so nothing removed comes back.
            removed = [change.face_id for change in news if change.operation is Operation.REMOVE]
            if removed:
                self._codes.remove(np.array(removed, np.int64))
            self._version = changes[-1].version if news else version

    def _decide(
        self, probe: NDArray[np.float64], candidates: Candidates, threshold: float, limit: int, without: str | None
    ) -> SearchResult | None:
        """Read the candidates' rows, nearest first, until no other can be among the results.

        None when faces were removed after the codes were scanned, and others must take their places.
        """
        results: list[tuple[float, int, Match]] = []
        gone = 0
        for start in range(0, len(candidates.ids), MAX_IDS_PER_STATEMENT):
            if len(results) > limit and candidates.at_least[start] > sorted(r[0] for r in results)[limit]:
                break
            chunk = candidates.ids[start : start + MAX_IDS_PER_STATEMENT]
            found, there = self._measure(probe, chunk, threshold, without)
            results += found
            gone += len(chunk) - there
        if gone:
            # Removed, or discarded after the model was changed.
            self._check(self._face_set.state())
        if gone and len(results) <= limit and candidates.reach < threshold:
            return None
        results.sort(key=lambda result: result[:2])
        return SearchResult([match for _, _, match in results[:limit]], truncated=len(results) > limit)

    def _measure(
        self, probe: NDArray[np.float64], ids: Ids, threshold: float, without: str | None
    ) -> tuple[list[tuple[float, int, Match]], int]:
        """Read rows; return those within the threshold, and how many are there at all."""
        rows = self._face_set.fetch(ids, self._embedding_id)
        embeddings = np.array([row.embedding for row in rows], np.float64).reshape(len(rows), len(probe))
        distances = np.sqrt(np.sum((embeddings - probe) ** 2, axis=1))
        found = [
            (distance, row.id, Match(row.token, row.name, distance))
            for distance, row in zip(map(float, distances), rows, strict=True)
            if distance <= threshold and row.token != without
        ]
        return found, len(rows)
