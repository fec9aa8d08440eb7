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

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import DEFAULT_SET_ID
from chalicelib.gallery.code_block import Block, Coded, SetIds
from chalicelib.gallery.code_bounds import LARGEST_CODE, Candidates, Found, Ids, Probe, scale_of

# Probes multiplied together: their products with a block take some MB.
MAX_PROBES = 32
# Covers zero and all float32 values.
LOWEST_EXPONENT, HIGHEST_EXPONENT = -312, 256


def encode(ids: Ids, embeddings: NDArray[np.float32], sets: SetIds | None = None) -> list[Coded]:
    """Code embeddings (n x d, finite), grouped by scale. Without `sets`, all are in the default set."""
    if sets is None:
        sets = np.full(len(ids), DEFAULT_SET_ID, np.int32)
    vectors = embeddings.astype(np.float64)
    exponents = _exponents(np.abs(vectors).max(axis=1, initial=0.0))
    coded = []
    for exponent in np.unique(exponents).tolist():
        chosen = exponents == exponent
        scale = scale_of(exponent)
        codes = np.rint(vectors[chosen] / scale)
        residual = float(np.linalg.norm(vectors[chosen] - scale * codes, axis=1).max())
        coded.append(Coded(exponent, residual, ids[chosen], codes.astype(np.int8), sets[chosen]))
    return coded


class CodeBook:
    """All codes of a gallery. Not thread-safe: the gallery must lock it."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._blocks: list[Block] = []
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
        found = [Found(threshold, most) for _ in probes]
        for exponent in sorted({block.exponent for block in self._blocks}):
            coded = [Probe(probe, exponent, self._residuals[exponent]) for probe in probes]
            for block in (block for block in self._blocks if block.exponent == exponent):
                for start in range(0, len(coded), MAX_PROBES):
                    end = start + MAX_PROBES
                    block.near(coded[start:end], found[start:end], set_id)
        return [one.candidates() for one in found]

    def _open_block(self, exponent: int) -> Block:
        """Return a block of this scale with room, as removals leave room in full blocks; or a new block."""
        for block in self._blocks:
            if block.exponent == exponent and not block.is_full:
                return block
        self._blocks.append(Block(exponent, self._dimension))
        return self._blocks[-1]


def _exponents(largest: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the scale's exponent for each largest component m: the least k with 127 * 2^(k/2) >= m."""
    with np.errstate(divide="ignore"):
        exponents = np.ceil(2 * np.log2(largest / LARGEST_CODE))
    exponents = np.clip(exponents, LOWEST_EXPONENT, HIGHEST_EXPONENT).astype(np.int64)
    # Corrects a logarithm that was rounded down across an integer.
    exponents += LARGEST_CODE * np.exp2(exponents / 2) < largest
    return np.asarray(exponents)
