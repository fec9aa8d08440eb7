"""Holds compressed embeddings in memory, and bounds their distances from a probe.

An embedding x is stored as integers c from -127 to 127 and a scale s, x ~ s c. Faces with similar largest components
share a scale, and so a block: s is the smallest power of the square root of 2 with 127 s >= max |x|. No value is
clipped, an unusual face does not coarsen the others, and a new face fits the open block of its scale unchanged.

The bounds follow from the triangle inequality. r is the largest |x - s c| of a scale's faces. The probe q is coded with
each scale too, as even integers from -128 to 126, after its components are clipped to [-127 s, 127 s]: p is the clipped
probe, and k = |q - p|. With e the length of p's rounding error and D the exact distance of the two integer codes,

    |p - x|  >=  s D - r - e,        and        |q - x|^2  >=  |p - x|^2 + k^2,

as in every clipped component p lies between x and q. The upper bound is |q - x| <= s D + r + e + k.

D's part in the first dimensions alone is a lower bound of D (partial distance search; Bei and Gray, 1985). Where
embeddings have their dimensions in the order of their variance, it excludes nearly all faces, and the other dimensions
are read for the rest only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import DEFAULT_SET_ID
from chalicelib.gallery.products import MAX_PROBE, products

Codes = NDArray[np.int8]
Ids = NDArray[np.int64]
SetIds = NDArray[np.int32]

LARGEST_CODE = 127
# Enough for the fixed costs of a block, few enough that its products stay in the processor's cache.
BLOCK_FACES = 32_768
FIRST_CAPACITY = 256
GROWTH = 2
# Makes the probe's codes p, from -64 to 63, unsigned.
SHIFT = 64
# The first slice has this share of the dimensions, in multiples of SLICE.
FIRST_SHARE, SLICE = 0.6, 32
# In a smaller block, slicing costs more than it saves.
LEAST_SLICED = 8_192
# If the first slice leaves more than one face in FEW, looking at the others one by one costs more than it saves.
FEW = 64
LEAST_INT32 = -(2**31)
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
        # By a scale's exponent: the largest residual of its faces.
        self._residuals: dict[int, float] = {}
        self._highest_id = -1

    def __len__(self) -> int:
        return sum(block.count for block in self._blocks)

    def add(self, faces: Iterable[Coded]) -> None:
        """Add faces; none of them may be in the book yet: see `unknown`."""
        for coded in faces:
            start = 0
            while start < len(coded.ids):
                start += self._open_block(coded.exponent).append(coded, start)
            if len(coded.ids):
                self._highest_id = max(self._highest_id, int(coded.ids.max()))
                self._residuals[coded.exponent] = max(self._residuals.get(coded.exponent, 0.0), coded.residual)

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
        return self.near_each(probe[None], threshold, most, set_id)[0]

    def near_each(
        self, probes: NDArray[np.float64], threshold: float, most: int, set_id: int = DEFAULT_SET_ID
    ) -> list[Candidates]:
        """Return the same for each of several probes (m x d), in one pass over the codes."""
        found = [_Found(threshold, most) for _ in probes]
        for exponent in sorted({block.exponent for block in self._blocks}):
            coded = [_Probe(probe, exponent, self._residuals[exponent]) for probe in probes]
            for block in (block for block in self._blocks if block.exponent == exponent):
                block.near(coded, found, set_id)
        return [one.candidates() for one in found]

    def _open_block(self, exponent: int) -> _Block:
        """Return a block of this scale with room, as removals leave room in full blocks; or a new block."""
        for block in self._blocks:
            if block.exponent == exponent and block.count < BLOCK_FACES:
                return block
        self._blocks.append(_Block(exponent, self._dimension))
        return self._blocks[-1]


class _Probe:
    """A probe in the units of a scale: as 2 p with integers p, and the terms of the bounds."""

    def __init__(self, probe: NDArray[np.float64], exponent: int, residual: float) -> None:
        self.scale = _scale(exponent)
        bound = LARGEST_CODE * self.scale
        cut = np.clip(probe, -bound, bound)
        self.cut_off = float(np.linalg.norm(probe - cut))
        self.slack = RELATIVE_SLACK * (float(np.linalg.norm(probe)) + bound * math.sqrt(len(probe)))
        half = np.clip(np.rint(cut / (2 * self.scale)), -SHIFT, MAX_PROBE - SHIFT)
        self.error = residual + float(np.linalg.norm(cut - 2 * self.scale * half)) + self.slack
        self.doubled = 2 * half.astype(np.int32)
        self.shifted = (half + SHIFT).astype(np.uint8)
        first = self.doubled[: first_slice(len(probe))]
        self.first_square, self.square = int(first @ first), int(self.doubled @ self.doubled)

    def farthest(self, reach: float) -> float:
        """Return the largest |2 p - c|^2 of a face that can be within `reach`; -1 if there is none."""
        if reach < self.cut_off - self.slack:
            return -1.0
        inner = math.sqrt(max(reach * reach - self.cut_off * self.cut_off, 0.0)) + self.slack
        farthest = (inner + self.error) / self.scale
        # A product that overflows is infinite; `**` on floats would raise an error.
        return farthest * farthest * (1 + RELATIVE_SLACK)

    def bounds(self, squares: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper bounds of distances, given their |2 p - c|^2 as `squares`."""
        distances = self.scale * np.sqrt(squares)
        lower = np.sqrt(np.maximum(distances - self.error, 0.0) ** 2 + self.cut_off**2) - self.slack
        return lower, distances + self.error + self.cut_off + self.slack


class _Found:
    """The candidates of one probe so far, and the reach beyond which no other face is among its `most` nearest.

    `sliced` is whether blocks are looked at by their first slice. It becomes False at a block where this excludes too
    few faces, so the search then costs no more than one without slices.
    """

    def __init__(self, threshold: float, most: int) -> None:
        self.reach = threshold
        self.sliced = True
        self._most = most
        self._ids: list[Ids] = []
        self._at_least: list[NDArray[np.float64]] = []
        self._at_most = np.zeros(0)

    def add(self, ids: Ids, lower: NDArray[np.float64], upper: NDArray[np.float64]) -> None:
        """Add faces with the bounds of their distances."""
        self._ids.append(ids)
        self._at_least.append(lower)
        self._at_most = np.concatenate([self._at_most, upper])
        if len(self._at_most) >= self._most:
            # `most` faces are at most this far away, so farther faces are not among the nearest.
            self._at_most = np.partition(self._at_most, self._most - 1)[: self._most]
            self.reach = min(self.reach, float(self._at_most[-1]))

    def candidates(self) -> Candidates:
        if not self._ids:
            return Candidates(np.zeros(0, np.int64), np.zeros(0), self.reach)
        ids, lower = np.concatenate(self._ids), np.concatenate(self._at_least)
        within = np.flatnonzero(lower <= self.reach)
        order = within[np.argsort(lower[within], kind="stable")]
        return Candidates(ids[order], lower[order], self.reach)


class _Block:
    """Faces of one scale. Codes are d x capacity, a face in each column, so that a product with a probe reads them in
    order, and the first dimensions alone are one contiguous block.

    With p = u - SHIFT, |2 p - c|^2 = (|c|^2 + 4 SHIFT sum(c)) - 4 u c + |2 p|^2. The term in brackets does not depend
    on the probe, and is stored for the first slice of the dimensions and for all.
    """

    def __init__(self, exponent: int, dimension: int) -> None:
        self.exponent = exponent
        self.count = 0
        self._first = first_slice(dimension)
        self._codes: Codes = np.zeros((dimension, FIRST_CAPACITY), np.int8)
        self.ids: Ids = np.zeros(FIRST_CAPACITY, np.int64)
        self._sets: SetIds = np.zeros(FIRST_CAPACITY, np.int32)
        self._terms: NDArray[np.int32] = np.zeros((2, FIRST_CAPACITY), np.int32)

    def append(self, coded: Coded, start: int) -> int:
        """Add faces from `start` on while there is room; return how many were added."""
        taken = min(len(coded.ids) - start, BLOCK_FACES - self.count)
        end = self.count + taken
        if end > len(self.ids):
            self._grow(min(BLOCK_FACES, max(end, GROWTH * len(self.ids))))
        codes = coded.codes[start : start + taken]
        self._codes[:, self.count : end] = codes.T
        self.ids[self.count : end] = coded.ids[start : start + taken]
        self._sets[self.count : end] = coded.sets[start : start + taken]
        for term, part in zip(self._terms, (codes[:, : self._first], codes), strict=True):
            term[self.count : end] = _terms(part)
        self.count = end
        return taken

    def remove(self, ids: Ids) -> None:
        """Move the last faces into the gaps and zero the places that they leave."""
        for position in np.flatnonzero(np.isin(self.ids[: self.count], ids))[::-1].tolist():
            last = self.count - 1
            for values in (self.ids, self._codes, self._sets, self._terms):
                values[..., position] = values[..., last]
                values[..., last] = 0
            self.count = last

    def near(self, probes: Sequence[_Probe], found: Sequence[_Found], set_id: int) -> None:
        """Add to `found` a set's faces that can be within reach of each probe."""
        whole = list(zip(probes, found, strict=True))
        # Several probes are multiplied together, so one that needs all dimensions makes slices useless for the others.
        if self.count >= LEAST_SLICED and all(one.sliced for one in found):
            for (probe, one), product in zip(whole, self._products(whole, self._first), strict=True):
                self._by_first_slice(probe, one, product, set_id)
            whole = [pair for pair in whole if not pair[1].sliced]
        if whole:
            for (probe, one), product in zip(whole, self._products(whole, len(self._codes)), strict=True):
                chosen, squares = self._within(product, self._terms[1], probe.square, probe.farthest(one.reach))
                of_set = self._sets[chosen] == set_id
                one.add(self.ids[chosen[of_set]], *probe.bounds(squares[of_set]))

    def _products(self, pairs: Sequence[tuple[_Probe, _Found]], dimensions: int) -> NDArray[np.int32]:
        return products(np.stack([probe.shifted[:dimensions] for probe, _ in pairs]), self._codes[:dimensions])

    def _by_first_slice(self, probe: _Probe, one: _Found, product: NDArray[np.int32], set_id: int) -> None:
        """Add the faces within reach, or stop slicing for this probe, if the first slice leaves too many."""
        farthest = probe.farthest(one.reach)
        chosen, squares = self._within(product, self._terms[0], probe.first_square, farthest)
        if len(chosen) * FEW > self.count:
            one.sliced = False
            return
        of_set = self._sets[chosen] == set_id
        chosen = chosen[of_set]
        if not len(chosen):
            return
        differences = self._codes[self._first :, chosen].astype(np.int32) - probe.doubled[self._first :, None]
        squares = squares[of_set] + np.einsum("ij,ij->j", differences, differences)
        within = squares <= farthest
        one.add(self.ids[chosen[within]], *probe.bounds(squares[within]))

    def _within(
        self, product: NDArray[np.int32], terms: NDArray[np.int32], square: int, farthest: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of the faces with |2 p - c|^2 of at most `farthest`, and these squares."""
        # The squares, subtracted from the probe's own: saves a pass over the faces. `product` is changed in place.
        near = product[: self.count]
        near *= 4
        near -= terms[: self.count]
        chosen = np.flatnonzero(near >= math.ceil(max(square - farthest, LEAST_INT32)))
        return chosen, square - near[chosen].astype(np.int64)

    def _grow(self, capacity: int) -> None:
        for name in ("ids", "_codes", "_sets", "_terms"):
            old = getattr(self, name)
            grown = np.zeros((*old.shape[:-1], capacity), old.dtype)
            grown[..., : self.count] = old[..., : self.count]
            # Erases the old memory before the system gets it back.
            old[:] = 0
            setattr(self, name, grown)


def first_slice(dimension: int) -> int:
    """Return how many dimensions a face is judged by first.

    If an embedding's dimensions are ordered by variance, the first ones exclude most faces that are too far away.
    """
    return dimension if dimension < 2 * SLICE else round(dimension * FIRST_SHARE / SLICE) * SLICE


def _terms(codes: Codes) -> NDArray[np.int32]:
    """Return |c|^2 + 4 SHIFT sum(c) of each face; `codes` is n x d."""
    wide = codes.astype(np.int32)
    return np.asarray(np.einsum("ij,ij->i", wide, wide) + 4 * SHIFT * wide.sum(axis=1), np.int32)


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
