"""Stores the vectors of one index, ordered by the arrival of their keys, and finds the nearest to a query."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FIRST_CAPACITY = 1_024
# Twice the largest relative error of a float32 operation.
_EPSILON = float(np.finfo(np.float32).eps)
_RELATIVE_SLACK = 1e-12

# The arrays with one entry for each row.
_COLUMNS = ("_matrix", "_squares", "_sequences", "_alive", "_hashes", "_kinds")

Metadata = dict[str, Any]
Rows = NDArray[np.int64]


class Stored(NamedTuple):
    """A stored vector. `sequence` is higher for keys that arrived later; `vector` is d x float32."""

    sequence: int
    key: str
    vector: NDArray[np.float32]
    metadata: Metadata


class Near(NamedTuple):
    key: str
    distance: float
    metadata: Metadata


class StoredVectors:
    """The vectors of one index. Safe to use from several threads at once.

    Metadata shared by several vectors is stored and filtered once.
    """

    def __init__(self, dimension: int, metric: str) -> None:
        self.dimension = dimension
        self.metric = metric
        self._lock = threading.RLock()
        self._rows: dict[str, int] = {}
        self._keys: list[str] = []
        self._count = 0
        self._next = 0
        self._matrix = np.zeros((FIRST_CAPACITY, dimension), np.float32)
        self._squares = np.zeros(FIRST_CAPACITY, np.float64)
        self._sequences = np.zeros(FIRST_CAPACITY, np.int64)
        self._alive = np.zeros(FIRST_CAPACITY, np.bool_)
        # Hashes of the keys, which assign them to the segments of a listing.
        self._hashes = np.zeros(FIRST_CAPACITY, np.uint32)
        # Each vector's index in `_distinct`.
        self._kinds = np.zeros(FIRST_CAPACITY, np.int64)
        self._distinct: list[Metadata] = []
        self._kind_of: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def put(self, keys: Sequence[str], vectors: NDArray[np.float32], metadata: Sequence[Metadata]) -> None:
        """Store vectors (n x d). A vector with an existing key replaces the old one in place."""
        squares = np.sum(vectors.astype(np.float64) ** 2, axis=1)
        with self._lock:
            for key, vector, square, about in zip(keys, vectors, squares, metadata, strict=True):
                row = self._rows.get(key)
                if row is None:
                    row = self._new_row(key)
                self._matrix[row], self._squares[row], self._kinds[row] = vector, square, self._kind(about)

    def delete(self, keys: Sequence[str]) -> None:
        """Delete vectors. Unknown keys are ignored."""
        with self._lock:
            for key in keys:
                row = self._rows.pop(key, None)
                if row is not None:
                    self._alive[row] = False
            if self._count > FIRST_CAPACITY and self._count > 2 * len(self._rows):
                self._close_gaps()

    def get(self, keys: Sequence[str]) -> list[Stored]:
        """Return the vectors of these keys that exist, ordered by the arrival of their keys."""
        with self._lock:
            return self._stored(np.array(sorted({self._rows[key] for key in keys if key in self._rows}), np.int64))

    def after(self, sequence: int, most: int, segment: int = 0, segments: int = 1) -> list[Stored]:
        """Return up to `most` vectors of a segment after a sequence number. Each key belongs to one segment."""
        with self._lock:
            start = int(np.searchsorted(self._sequences[: self._count], sequence, side="right"))
            rows = start + np.flatnonzero(self._alive[start : self._count])
            rows = rows[self._hashes[rows] % segments == segment]
            return self._stored(rows[:most])

    def nearest(self, query: NDArray[np.float32], most: int, passes: Callable[[Metadata], bool] | None) -> list[Near]:
        """Return the nearest vectors that pass the filter; ties are ordered by the hashes of their keys.

        The service does not document the order of ties, so no client may rely on the order of insertion.

        The result is exact. float32 arithmetic, with bounds on its own error, only selects the candidates; their
        distances are computed in float64.
        """
        with self._lock:
            chosen = self._alive[: self._count].copy()
            if passes is not None:
                kinds = np.array([passes(metadata) for metadata in self._distinct], np.bool_)
                chosen &= kinds[self._kinds[: self._count]] if len(kinds) else False
            rows = np.flatnonzero(chosen)
            if len(rows) > most:
                rows = rows[self._can_be_among(query, rows, most)]
            distances = self._distances(query, rows)
            order = np.lexsort((self._hashes[rows], distances))[:most]
            return [
                Near(self._keys[row], float(np.float32(distance)), self._distinct[self._kinds[row]])
                for row, distance in zip(rows[order].tolist(), distances[order].tolist(), strict=True)
            ]

    def _can_be_among(self, query: NDArray[np.float32], rows: Rows, most: int) -> NDArray[np.bool_]:
        """Return a mask of the rows that may be among the nearest.

        The error of a dot product of d terms is at most d eps |x| |q|.
        """
        length = float(np.linalg.norm(query.astype(np.float64)))
        squares = self._squares[rows]
        with np.errstate(over="ignore", invalid="ignore"):
            products = (self._matrix[: self._count] @ query)[rows].astype(np.float64)
        wrong = self.dimension * _EPSILON * np.sqrt(squares) * length
        if self.metric == "cosine":
            scale = np.sqrt(squares) * length
            estimates, wrong = 1.0 - products / scale, wrong / scale + _EPSILON
        else:
            estimates = squares + length**2 - 2.0 * products
            wrong = 2.0 * wrong + _RELATIVE_SLACK * (squares + length**2)
        # After an overflow, the distance is unknown.
        known = np.isfinite(estimates)
        at_least = np.where(known, estimates - wrong, -np.inf)
        at_most = np.where(known, estimates + wrong, np.inf)
        return np.asarray(at_least <= np.partition(at_most, most - 1)[most - 1])

    def _distances(self, query: NDArray[np.float32], rows: Rows) -> NDArray[np.float64]:
        probe, vectors = query.astype(np.float64), self._matrix[rows].astype(np.float64)
        if self.metric == "cosine":
            lengths = np.sqrt(self._squares[rows]) * np.linalg.norm(probe)
            return np.asarray(1.0 - vectors @ probe / lengths)
        return np.asarray(np.sqrt(np.sum((vectors - probe) ** 2, axis=1)))

    def _stored(self, rows: Rows) -> list[Stored]:
        return [
            Stored(
                int(self._sequences[row]), self._keys[row], self._matrix[row].copy(), self._distinct[self._kinds[row]]
            )
            for row in rows
        ]

    def _new_row(self, key: str) -> int:
        row = self._count
        if row == len(self._matrix):
            for name in _COLUMNS:
                array = getattr(self, name)
                setattr(self, name, np.concatenate([array, np.zeros_like(array)]))
        self._keys.append(key)
        self._rows[key] = row
        self._alive[row], self._sequences[row], self._hashes[row] = True, self._next, zlib.crc32(key.encode())
        self._count += 1
        self._next += 1
        return row

    def _kind(self, metadata: Metadata) -> int:
        text = json.dumps(metadata, sort_keys=True)
        kind = self._kind_of.setdefault(text, len(self._distinct))
        if kind == len(self._distinct):
            self._distinct.append(metadata)
        return kind

    def _close_gaps(self) -> None:
        kept = np.flatnonzero(self._alive[: self._count])
        for name in _COLUMNS:
            getattr(self, name)[: len(kept)] = getattr(self, name)[kept]
        self._keys = [self._keys[row] for row in kept]
        self._rows = {key: row for row, key in enumerate(self._keys)}
        self._count = len(kept)
