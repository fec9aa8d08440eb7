"""Bounds the distances of coded faces from a probe; `codes` describes the arithmetic."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.gallery.products import MAX_PROBE

Ids = NDArray[np.int64]

LARGEST_CODE = 127
# Makes the probe's codes p, from -64 to 63, unsigned.
SHIFT = 64
# The first slice has this share of the dimensions, in multiples of SLICE.
FIRST_SHARE, SLICE = 0.8, 32
# Two terms of a squared distance are rounded down to a multiple of 4.
ROUNDED_OFF = 6
# Relative to the size of the vectors: far above the error of float64 arithmetic, far below any residual.
RELATIVE_SLACK = 1e-12


class Candidates(NamedTuple):
    """Every face that can be within `reach`, with a lower bound of its distance, sorted by that bound.

    `capped` means that the gallery can return no more candidates, although farther ones may exist.
    """

    ids: Ids
    at_least: NDArray[np.float64]
    reach: float
    capped: bool = False


class Probe:
    """A probe in the units of a scale: as 2 p with integers p, and the terms of the bounds."""

    def __init__(self, probe: NDArray[np.float64], exponent: int, residual: float) -> None:
        self.scale = scale_of(exponent)
        bound = LARGEST_CODE * self.scale
        cut = np.clip(probe, -bound, bound)
        self.cut_off = float(np.linalg.norm(probe - cut))
        self.slack = RELATIVE_SLACK * (float(np.linalg.norm(probe)) + bound * math.sqrt(len(probe)))
        half = np.clip(np.rint(cut / (2 * self.scale)), -SHIFT, MAX_PROBE - SHIFT)
        self.error = residual + float(np.linalg.norm(cut - 2 * self.scale * half)) + self.slack
        first = first_slice(len(probe))
        self.doubled = 2 * half.astype(np.int32)
        # For each slice of the dimensions, contiguous.
        self.shifted = np.split((half + SHIFT).astype(np.uint8)[None], [first], axis=1)
        self.first_square = int(self.doubled[:first] @ self.doubled[:first])
        self.square = int(self.doubled @ self.doubled)

    def farthest(self, reach: float) -> float:
        """Return the largest |2 p - c|^2 of a face that can be within `reach`; -1 if there is none."""
        if reach < self.cut_off - self.slack:
            return -1.0
        inner = math.sqrt(max(reach * reach - self.cut_off * self.cut_off, 0.0)) + self.slack
        farthest = (inner + self.error) / self.scale
        # A product that overflows is infinite; `**` on floats would raise an error.
        return farthest * farthest * (1 + RELATIVE_SLACK)

    def bounds(self, squares: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the lower and upper bounds of distances, given their |2 p - c|^2, or up to ROUNDED_OFF less."""
        distances = self.scale * np.sqrt(np.maximum(squares, 0))
        lower = np.sqrt(np.maximum(distances - self.error, 0.0) ** 2 + self.cut_off**2) - self.slack
        farthest = self.scale * np.sqrt(squares + ROUNDED_OFF)
        return lower, farthest + self.error + self.cut_off + self.slack


class Found:
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
        order = within[np.argsort(lower[within])]
        return Candidates(ids[order], lower[order], self.reach)


def first_slice(dimension: int) -> int:
    """Return how many dimensions a face is judged by first.

    If an embedding's dimensions are ordered by variance, the first ones exclude most faces that are too far away.
    """
    return dimension if dimension < 2 * SLICE else round(dimension * FIRST_SHARE / SLICE) * SLICE


def scale_of(exponent: int) -> float:
    return float(np.exp2(exponent / 2))
