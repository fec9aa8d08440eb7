"""Compares the vector index in use with the face set's rows, repairs differences, and measures recall.

Rows and index change during the comparison. So each apparent difference is checked again while this process holds the
index, when no other process writes to it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from chalicelib.gallery.index_changes import IndexChanges, LogPrunedError, Turn
from chalicelib.gallery.vector_gallery import VectorGallery
from chalicelib.stores.aws.vector_store import (
    MAX_LISTINGS,
    MAX_RESULTS,
    MAX_VECTORS_READ,
    IndexGoneError,
    StoredVector,
    VectorStore,
)
from chalicelib.stores.embedding_bytes import to_bytes
from chalicelib.stores.face_set.face_set import FaceSet, VectorRow
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.stores.face_set.vector_indexes import Recall, VectorIndexes

# Recall is measured with this many searches. Their neighbours are looked up in at most this many ranges of ids, about a
# million faces.
PROBES = 50
MAX_RANGES_MEASURED = 128
# The most vectors repaired one by one; if more differ, the index should be rebuilt.
MAX_MENDED = 10_000
# No more neighbours are looked up for a probe that has this many.
MAX_NEIGHBOURS = 1_000

_log = logging.getLogger(__name__)


@dataclass
class IndexReport:
    """The result of one run, in numbers of vectors.

    `faces` counts the rows compared. `missing`, `different` and `surplus` count vectors that the index lacked, held
    with other values, or held without a row; all were repaired. `beyond` counts apparent differences when there were
    too many to repair. `complete` is False when time was up, or another writer held the index.
    """

    faces: int = 0
    missing: int = 0
    different: int = 0
    surplus: int = 0
    beyond: int = 0
    complete: bool = True

    @property
    def equal(self) -> bool:
        return self.complete and not (self.missing or self.different or self.surplus or self.beyond)


@dataclass
class _Neighbours:
    """The distances of a probe's neighbours, computed from rows, by face id."""

    probe: VectorRow
    distances: dict[int, float] = field(default_factory=dict)


class IndexReconciliation:
    """Compares and repairs the index of one model. Raises ServiceError as the stores do.

    Parameters
    ----------
    threshold
        The distance within which recall is measured.
    seed
        Seeds the random choice of probes and ranges.
    may_go_on
        Called before every range of ids, page and probe. False ends the run; the next run starts from the beginning.
    """

    def __init__(
        self,
        face_set: FaceSet,
        ranges: ModelChange,
        indexes: VectorIndexes,
        vectors: VectorStore,
        changes: IndexChanges,
        gallery: VectorGallery,
        embedding_id: str,
        threshold: float,
        *,
        seed: int | None = None,
        may_go_on: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._face_set = face_set
        self._ranges = ranges
        self._indexes = indexes
        self._vectors = vectors
        self._changes = changes
        self._gallery = gallery
        self._embedding_id = embedding_id
        self._threshold = threshold
        self._random = np.random.default_rng(seed)
        self._may_go_on = may_go_on
        self._clock = clock

    def run(self) -> IndexReport | None:
        """Apply pending changes, compare the index in use with the rows, and repair it; None without an index."""
        used = self._indexes.used(self._embedding_id)
        if used is None:
            return None
        report = IndexReport()
        self._changes.apply(self._may_go_on)
        ids, digests = self._read_rows(report)
        report.faces = len(ids)
        suspects = self._differing(used.name, ids, digests, report) if report.complete else []
        if not report.complete:  # rows or vectors that were not read would appear to be missing
            return report
        if len(suspects) > MAX_MENDED:
            report.beyond = len(suspects)
            _log.error("the vector index differs from the face set in %d vectors: rebuild it", len(suspects))
        elif suspects:
            self._mend(used.name, suspects, report)
        return report

    def measure(self) -> Recall | None:
        """Measure recall for randomly chosen faces, record it, and return it.

        Compares search results with neighbours computed from rows: from all rows, or from MAX_RANGES_MEASURED random
        ranges of ids, which measure the same share. If a probe has more neighbours than an index returns, only the
        nearest count. A probe is its own neighbour. Returns None when there is nothing to measure or time was up.
        """
        used = self._indexes.used(self._embedding_id)
        ranges = self._some_ranges()
        neighbours = [_Neighbours(row) for row in self._choose(ranges)]
        if used is None or not neighbours:
            return None
        for ids in ranges:
            if not self._may_go_on():
                return None
            rows = self._vectors_of(*ids)
            vectors = np.array([row.embedding for row in rows], np.float64).reshape(
                -1, len(neighbours[0].probe.embedding)
            )
            for near in neighbours:
                if len(near.distances) >= MAX_NEIGHBOURS:
                    continue
                distances = np.sqrt(np.sum((vectors - near.probe.embedding.astype(np.float64)) ** 2, axis=1))
                within = np.flatnonzero(distances <= self._threshold).tolist()
                near.distances |= {
                    rows[i].id: float(distances[i]) for i in within if rows[i].set_id == near.probe.set_id
                }
        expected = found = 0
        for near in neighbours:
            if not self._may_go_on():
                return None
            probe = near.probe.embedding.astype(np.float64)
            [proposed] = self._gallery.propose(probe[None], self._threshold, MAX_RESULTS, near.probe.set_id)
            # Even an exact index would not propose faces beyond the reach of MAX_RESULTS results.
            whole = proposed.reach >= self._threshold
            reachable = {i for i, distance in near.distances.items() if whole or distance < proposed.reach}
            missed = reachable - set(proposed.ids.tolist())
            # A face that was removed meanwhile does not count as missed.
            missed = {row.id for row in self._face_set.fetch(sorted(missed), self._embedding_id)}
            expected += len(reachable)
            found += len(reachable) - len(missed)
        if not expected:
            return None
        recall = Recall(found / expected, len(neighbours), int(self._clock()))
        self._indexes.measured(used.name, recall)
        return recall

    def _vectors_of(self, first_id: int, end_id: int) -> list[VectorRow]:
        rows = self._face_set.vectors(first_id, end_id)
        return [row for row in rows if row.embedding_id == self._embedding_id]

    def _some_ranges(self) -> list[tuple[int, int]]:
        ranges = self._ranges.ranges()
        if len(ranges) <= MAX_RANGES_MEASURED:
            return ranges
        return [ranges[i] for i in self._random.choice(len(ranges), MAX_RANGES_MEASURED, replace=False).tolist()]

    def _choose(self, ranges: list[tuple[int, int]]) -> list[VectorRow]:
        chosen: list[VectorRow] = []
        for number in self._random.integers(0, len(ranges), PROBES).tolist():
            rows = self._vectors_of(*ranges[number])
            if rows:
                chosen.append(rows[int(self._random.integers(0, len(rows)))])
        return chosen

    def _read_rows(self, report: IndexReport) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the ids of all faces, ascending, and their digests: 16 bytes per face."""
        digests: list[NDArray[np.int64]] = []
        for ids in self._ranges.ranges():
            if not self._may_go_on():
                report.complete = False
                break
            digests.append(
                np.array([(row.id, _digest(row)) for row in self._vectors_of(*ids)], np.int64).reshape(-1, 2)
            )
        table = np.concatenate([np.zeros((0, 2), np.int64), *digests])
        table = table[np.argsort(table[:, 0])]
        return table[:, 0].copy(), table[:, 1].copy()

    def _differing(
        self, index: str, ids: NDArray[np.int64], digests: NDArray[np.int64], report: IndexReport
    ) -> list[int]:
        """Return the ids of faces that seem to differ between the rows and the index."""
        seen = np.zeros(len(ids), np.bool_)

        def compare(part: int) -> list[int]:
            suspects: list[int] = []
            for page in self._vectors.listed(index, part, MAX_LISTINGS):
                if not self._may_go_on():
                    report.complete = False
                    break
                keys = np.array([vector.face_id for vector in page], np.int64)
                values = np.array([_digest(vector) for vector in page], np.int64)
                places = np.minimum(np.searchsorted(ids, keys), max(len(ids) - 1, 0))
                there = ids[places] == keys if len(ids) else np.zeros(len(keys), np.bool_)
                seen[places[there]] = True
                same = there.copy()
                same[there] = digests[places[there]] == values[there]
                suspects += keys[~same].tolist()
            return suspects

        try:
            with ThreadPoolExecutor(MAX_LISTINGS) as executor:
                suspects = [face_id for part in executor.map(compare, range(MAX_LISTINGS)) for face_id in part]
        except IndexGoneError:  # replaced meanwhile: the next run compares the new index
            report.complete = False
            return []
        return [*suspects, *map(int, ids[~seen])]

    def _mend(self, index: str, suspects: list[int], report: IndexReport) -> None:
        turn = self._changes.claim(index)
        if turn is None:
            report.complete = False
            return
        try:
            while (more := turn.step()) is True and self._may_go_on():
                pass
            for start in range(0, len(suspects), MAX_VECTORS_READ):
                if more is not False or not self._may_go_on():
                    report.complete = False
                    return
                chunk = sorted(suspects[start : start + MAX_VECTORS_READ])
                if not self._mend_some(turn, chunk, report):
                    report.complete = False
                    return
        except (LogPrunedError, IndexGoneError):
            report.complete = False
        finally:
            turn.end()

    def _mend_some(self, turn: Turn, face_ids: Sequence[int], report: IndexReport) -> bool:
        """Repair some vectors; return False when the turn was lost.

        Skips faces that changed since the last step: the next step applies these changes.
        """
        wanted = {row.id: row for face_id in face_ids for row in self._vectors_of(face_id, face_id + 1)}
        # Read after the rows, so that the pending changes cover every change in the rows that the index lacks.
        pending = self._face_set.changes_since(turn.row.version, self._embedding_id)
        if pending is None:
            raise LogPrunedError
        changed = {change.face_id for change in pending}
        face_ids = [face_id for face_id in face_ids if face_id not in changed]
        wanted = {face_id: row for face_id, row in wanted.items() if face_id not in changed}
        if not face_ids:
            return True
        held = {vector.face_id: vector for vector in self._vectors.get(turn.row.name, face_ids)}
        surplus = sorted(held.keys() - wanted.keys())
        missing = sorted(wanted.keys() - held.keys())
        different = sorted(i for i in wanted.keys() & held.keys() if _digest(wanted[i]) != _digest(held[i]))
        report.surplus += len(surplus)
        report.missing += len(missing)
        report.different += len(different)
        rows = [wanted[face_id] for face_id in [*missing, *different]]
        return turn.write([StoredVector(row.id, row.embedding, row.set_id) for row in rows]) and turn.erase(surplus)


def _digest(vector: VectorRow | StoredVector) -> int:
    return hash((to_bytes(vector.embedding), vector.set_id))
