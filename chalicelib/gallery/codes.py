"""Holds compressed embeddings in memory, and bounds their distances from a probe.

An embedding x is stored as integers c from -127 to 127 and a scale s, x ~ s c. Faces with similar largest components
share a scale, and so a block: s is the smallest power of the square root of 2 with 127 s >= max |x|. No value is
clipped, an unusual face does not coarsen the others, and a new face fits the open block of its scale unchanged.

The bounds follow from the triangle inequality. A block stores r, the largest |x - s c| of its faces. The probe q is
coded with the block's scale too, after its components are clipped to [-127 s, 127 s]: p is the clipped probe, and
k = |q - p|. With e the length of p's rounding error and D the exact distance of the two integer codes,

    |p - x|  >=  s D - r - e,        and        |q - x|^2  >=  |p - x|^2 + k^2,

as in every clipped component p lies between x and q. The upper bound is |q - x| <= s D + r + e + k.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import DEFAULT_SET_ID
from chalicelib.gallery.integer_distances import squared_distances

T = TypeVar("T", np.int8, np.int32, np.int64)

Codes = NDArray[np.int8]
Ids = NDArray[np.int64]
SetIds = NDArray[np.int32]

LARGEST_CODE = 127
BLOCK_FACES = 65_536
FIRST_CAPACITY = 256
# Relative to the size of the vectors: far above the error of float64 arithmetic, far below any residual.
RELATIVE_SLACK = 1e-12
# Covers zero and all float32 values.
LOWEST_EXPONENT, HIGHEST_EXPONENT = -312, 256


class Coded(NamedTuple):
    """Faces that share a scale. `residual` is their largest |x - s c|; `sets` holds their face sets' numbers."""

    exponent: int
    residual: float
    ids: Ids
    codes: Codes
    sets: SetIds


class Candidates(NamedTuple):
    """Every face that can be within `reach`, with a lower bound of its distance, sorted by that bound.

    `capped` means that the gallery can return no more candidates, although farther ones may exist.
    """

    ids: Ids
    at_least: NDArray[np.float64]
    reach: float
    capped: bool = False


def encode(ids: Ids, embeddings: NDArray[np.float32], sets: SetIds | None = None) -> list[Coded]:
    """Code embeddings (n x d, finite), grouped by scale. Without `sets`, all are in the default set."""
    if sets is None:
        sets = np.full(len(ids), DEFAULT_SET_ID, np.int32)
    vectors = embeddings.astype(np.float64)
    exponents = _exponents(np.abs(vectors).max(axis=1, initial=0.0))
    coded = []
    for exponent in np.unique(exponents).tolist():
        chosen = exponents == exponent
        scale = _scale(exponent)
        codes = np.rint(vectors[chosen] / scale)
        residual = float(np.linalg.norm(vectors[chosen] - scale * codes, axis=1).max())
        coded.append(Coded(exponent, residual, ids[chosen], codes.astype(np.int8), sets[chosen]))
    return coded


class CodeBook:
    """All codes of a gallery. Not thread-safe: the gallery must lock it."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._blocks: list[_Block] = []
        self._highest_id = -1

    def __len__(self) -> int:
        return sum(block.count for block in self._blocks)

    def add(self, faces: Iterable[Coded]) -> None:
        """Add faces; none of them may be in the book yet: see `unknown`."""
        for coded in faces:
            start = 0
            while start < len(coded.ids):
                block = self._open_block(coded.exponent)
                start += block.append(coded, start)
            if len(coded.ids):
                self._highest_id = max(self._highest_id, int(coded.ids.max()))

    def unknown(self, ids: Ids) -> NDArray[np.bool_]:
        """Return a mask of the ids that are not in the book. Cheap for new faces: their ids nearly always exceed all
        known ids.
        """
        unknown = np.ones(len(ids), np.bool_)
        doubtful = np.flatnonzero(ids <= self._highest_id)
        if len(doubtful):
            for block in self._blocks:
                unknown[doubtful] &= ~np.isin(ids[doubtful], block.ids[: block.count])
        return unknown

    def remove(self, ids: Ids) -> None:
        """Remove faces and erase their codes from memory; ignore unknown ids."""
        for block in self._blocks:
            block.remove(ids)
        self._blocks = [block for block in self._blocks if block.count]

    def near(self, probe: NDArray[np.float64], threshold: float, most: int, set_id: int = DEFAULT_SET_ID) -> Candidates:
        """Return every face of a face set that can be within `threshold` and among its `most` nearest.

        Parameters
        ----------
        probe : d, finite.
        threshold : the largest distance.
        most : the number of nearest faces wanted, at least 1.
        """
        found_ids: list[Ids] = []
        at_least: list[NDArray[np.float64]] = []
        at_most = np.zeros(0)
        reach = threshold
        for block in self._blocks:
            ids, lower, upper = block.near(probe, reach, set_id)
            found_ids.append(ids)
            at_least.append(lower)
            at_most = np.concatenate([at_most, upper])
            if len(at_most) >= most:
                # `most` faces are at most this far away, so farther faces are not among the nearest.
                at_most = np.partition(at_most, most - 1)[:most]
                reach = min(reach, float(at_most[-1]))
        if not found_ids:
            return Candidates(np.zeros(0, np.int64), np.zeros(0), reach)
        ids, lower = np.concatenate(found_ids), np.concatenate(at_least)
        within = np.flatnonzero(lower <= reach)
        order = within[np.argsort(lower[within], kind="stable")]
        return Candidates(ids[order], lower[order], reach)

    def _open_block(self, exponent: int) -> _Block:
        """Return a block of this scale with room, as removals leave room in full blocks; or a new block."""
        for block in self._blocks:
            if block.exponent == exponent and block.count < BLOCK_FACES:
                return block
        self._blocks.append(_Block(exponent, self._dimension))
        return self._blocks[-1]


class _Block:
    def __init__(self, exponent: int, dimension: int) -> None:
        self.exponent = exponent
        self._scale = _scale(exponent)
        self._residual = 0.0
        self.count = 0
        self.ids: Ids = np.empty(FIRST_CAPACITY, np.int64)
        self._codes: Codes = np.empty((FIRST_CAPACITY, dimension), np.int8)
        self._sets: SetIds = np.empty(FIRST_CAPACITY, np.int32)

    def append(self, coded: Coded, start: int) -> int:
        """Add faces from `start` on while there is room; return how many were added."""
        taken = min(len(coded.ids) - start, BLOCK_FACES - self.count)
        end = self.count + taken
        if end > len(self.ids):
            capacity = min(BLOCK_FACES, max(end, 2 * len(self.ids)))
            self.ids = _grown(self.ids, self.count, capacity)
            self._codes = _grown(self._codes, self.count, capacity)
            self._sets = _grown(self._sets, self.count, capacity)
        self.ids[self.count : end] = coded.ids[start : start + taken]
        self._codes[self.count : end] = coded.codes[start : start + taken]
        self._sets[self.count : end] = coded.sets[start : start + taken]
        self.count = end
        self._residual = max(self._residual, coded.residual)
        return taken

    def remove(self, ids: Ids) -> None:
        """Move the last faces into the gaps and zero the places that they leave."""
        for position in np.flatnonzero(np.isin(self.ids[: self.count], ids))[::-1].tolist():
            last = self.count - 1
            for values in (self.ids, self._codes, self._sets):
                values[position] = values[last]
                values[last] = 0
            self.count = last

    def near(
        self, probe: NDArray[np.float64], reach: float, set_id: int
    ) -> tuple[Ids, NDArray[np.float64], NDArray[np.float64]]:
        """Return a set's faces that can be within `reach`, with the lower and upper bounds of their distances."""
        bound = LARGEST_CODE * self._scale
        cut = np.clip(probe, -bound, bound)
        cut_off = float(np.linalg.norm(probe - cut))
        code = np.rint(cut / self._scale)
        slack = RELATIVE_SLACK * (float(np.linalg.norm(probe)) + bound * math.sqrt(len(probe)))
        error = self._residual + float(np.linalg.norm(cut - self._scale * code)) + slack
        if reach < cut_off - slack:
            none = np.zeros(0)
            return np.zeros(0, np.int64), none, none
        inner = math.sqrt(max(reach * reach - cut_off * cut_off, 0.0)) + slack
        squares = squared_distances(code.astype(np.int8), self._codes[: self.count])
        farthest = (inner + error) / self._scale
        # A product that overflows is infinite; `**` on floats would raise an error.
        chosen = np.flatnonzero(squares <= farthest * farthest * (1 + RELATIVE_SLACK))
        chosen = chosen[self._sets[chosen] == set_id]
        distances = self._scale * np.sqrt(squares[chosen])
        lower = np.sqrt(np.maximum(distances - error, 0.0) ** 2 + cut_off**2) - slack
        return self.ids[chosen], lower, distances + error + cut_off + slack


def _exponents(largest: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the scale's exponent for each largest component m: the least k with 127 * 2^(k/2) >= m."""
    with np.errstate(divide="ignore"):
        exponents = np.ceil(2 * np.log2(largest / LARGEST_CODE))
    exponents = np.clip(exponents, LOWEST_EXPONENT, HIGHEST_EXPONENT).astype(np.int64)
    # Corrects a logarithm that was rounded down across an integer.
    exponents += LARGEST_CODE * np.exp2(exponents / 2) < largest
    return np.asarray(exponents)


def _scale(exponent: int) -> float:
    return float(np.exp2(exponent / 2))


def _grown(values: NDArray[T], count: int, capacity: int) -> NDArray[T]:
    grown = np.empty((capacity, *values.shape[1:]), values.dtype)
    grown[:count] = values[:count]
    # Erases the old memory before the system gets it back.
    values[:count] = 0
    return grown
