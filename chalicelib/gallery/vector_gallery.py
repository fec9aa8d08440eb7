"""Searches faces in Amazon S3 Vectors, for face sets too large for a process's memory."""

from __future__ import annotations

import logging
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from chalicelib import deadline
from chalicelib.errors import index_is_behind
from chalicelib.gallery.code_bounds import Candidates
from chalicelib.gallery.exact_search import ExactSearch
from chalicelib.gallery.gallery import Contents
from chalicelib.gallery.index_changes import IndexChanges
from chalicelib.gallery.log_tail import LogTail
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.stores.aws.vector_store import MAX_RESULTS, IndexGoneError, VectorStore
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.vector_indexes import UsedIndex, VectorIndexes

# Changes that an index may lack: scanning them takes some hundredths of a second and some 15 MB.
MAX_TAIL = 100_000
# Results requested beyond those wanted, so that equally near faces are not cut off at random.
TIES = 100
# Attempts per search, as its index may be replaced during each.
MAX_REPLACEMENTS = 3
# Queries of one request at a time; its client has MAX_CONNECTIONS for all of them.
MAX_QUERIES = 8
# The error of a squared distance, as a share of the squared lengths behind it: well above float32's error.
SQUARED_ERROR = 1e-5

_log = logging.getLogger(__name__)


class VectorGallery(ExactSearch):
    """Gets candidates from a vector index, and from the end of the change log, which the index has not applied yet.

    The index is approximate, so a search may miss faces. Distances are exact, and every change is visible at once.
    Until the model has an index, `before` answers.
    """

    def __init__(
        self,
        face_set: FaceSet,
        indexes: VectorIndexes,
        vectors: VectorStore,
        changes: IndexChanges,
        before: MemoryGallery,
        embedding_id: str,
        dimension: int,
    ) -> None:
        super().__init__(face_set, embedding_id)
        self._indexes = indexes
        self._vectors = vectors
        self._changes = changes
        self._before = before
        self._dimension = dimension
        self._lock = threading.Lock()
        # Guarded by the lock.
        self._tail = LogTail(face_set, embedding_id, dimension)
        # The index that the last search used.
        self._used: UsedIndex | None = None

    def propose(self, probes: NDArray[np.float64], threshold: float, most: int, set_id: int) -> list[Candidates]:
        """See `ExactSearch.propose`; at most MAX_RESULTS candidates of a probe come from the index."""
        for _ in range(MAX_REPLACEMENTS):
            look = self._indexes.look(self._embedding_id)
            self._check(look.state)
            self._used = look.used
            if look.used is None:
                return self._before.propose(probes, threshold, most, set_id)
            behind = look.state.version - look.used.version
            with self._lock:
                followed = behind <= MAX_TAIL and self._tail.follow(look.used.version, look.state.version)
                tails = self._tail.near_each(probes, threshold, most, set_id)
            if not followed:
                # The changes may have been applied to the index and pruned since the look.
                _log.warning(
                    "the vector index was %d changes behind the face set: too many, or pruned from the log", behind
                )
                continue
            try:
                indexed = self._nearest_each(look.used.name, probes, threshold, most, set_id)
                return [_united(*both) for both in zip(tails, indexed, strict=True)]
            except IndexGoneError:
                _log.warning("the vector index %s is gone", look.used.name)
        _log.error("no vector index is usable: apply the missing changes to it, or rebuild it")
        raise index_is_behind()

    def apply(self) -> int:
        """See `ExactSearch.apply`."""
        self._changes.apply()
        used = self._indexes.used(self._embedding_id)
        return self._before.apply() if used is None else used.version

    def contents(self) -> Contents:
        """See `Gallery.contents`; the number of faces in an index is unknown."""
        used = self._used
        if used is None:
            return self._before.contents()
        return Contents(None, used.version, exact=False, recall=used.recall)

    def _nearest_each(
        self, index: str, probes: NDArray[np.float64], threshold: float, most: int, set_id: int
    ) -> list[Candidates]:
        """Query an index for all probes in parallel."""

        def nearest(probe: NDArray[np.float64]) -> Candidates:
            return self._nearest(index, probe, threshold, most, set_id)

        if len(probes) == 1:
            return [nearest(probes[0])]
        with ThreadPoolExecutor(max_workers=MAX_QUERIES) as executor:
            return list(executor.map(deadline.carried(nearest), probes))

    def _nearest(self, index: str, probe: NDArray[np.float64], threshold: float, most: int, set_id: int) -> Candidates:
        """Return the `most` nearest vectors of an index, and all vectors that may be as near as the last of them."""
        wanted = min(most, MAX_RESULTS)
        asked = min(wanted + TIES, MAX_RESULTS)
        length = float(np.dot(probe, probe))
        while True:
            ids: list[int] = []
            reported: list[float] = []
            for page in self._vectors.nearest(index, probe.astype(np.float32), asked, set_id):
                ids += [face_id for face_id, _ in page]
                reported += [distance for _, distance in page]
                if reported and _at_least(reported[-1], length) > threshold:
                    # All later results are farther away.
                    return _candidates(ids, reported, length, threshold)
                if len(ids) > wanted and _surely_farther(reported[-1], reported[wanted - 1], length):
                    return _candidates(ids, reported, length, _at_least(reported[-1], length))
            if len(ids) < asked:
                return _candidates(ids, reported, length, threshold)
            if asked == MAX_RESULTS:
                return _candidates(ids, reported, length, _at_least(reported[-1], length))._replace(capped=True)
            asked = min(4 * asked, MAX_RESULTS)


def _squared_slack(distance: float, squared_length: float) -> float:
    return SQUARED_ERROR * (squared_length + (math.sqrt(squared_length) + distance) ** 2)


def _at_least(reported: float, squared_length: float) -> float:
    """Return a lower bound of the distance for a reported distance.

    The service computes in float32, and does not document whether the Euclidean distance that it reports is squared.
    The smaller reading is used.
    """
    distance = min(reported, math.sqrt(reported))
    return math.sqrt(max(0.0, distance * distance - _squared_slack(distance, squared_length)))


def _surely_farther(one: float, other: float, squared_length: float) -> bool:
    """Return whether `one` is surely the larger distance, whether the reported distances are squared or not."""
    slack = 2 * _squared_slack(max(one, math.sqrt(one)), squared_length)
    return one - other > slack and one * one - other * other > slack


def _candidates(ids: list[int], reported: list[float], squared_length: float, reach: float) -> Candidates:
    at_least = np.maximum.accumulate([0.0, *(_at_least(distance, squared_length) for distance in reported)])[1:]
    return Candidates(np.array(ids, np.int64), at_least, reach)


def _united(one: Candidates, other: Candidates) -> Candidates:
    """Return the faces of both, each once. A face in both gets the higher of its two lower bounds."""
    ids = np.concatenate([one.ids, other.ids])
    at_least = np.concatenate([one.at_least, other.at_least])
    order = np.argsort(-at_least, kind="stable")
    _, first = np.unique(ids[order], return_index=True)
    chosen = order[first]
    chosen = chosen[np.argsort(at_least[chosen], kind="stable")]
    return Candidates(ids[chosen], at_least[chosen], min(one.reach, other.reach), one.capped or other.capped)
