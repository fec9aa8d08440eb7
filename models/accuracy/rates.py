"""Computes error rates of pairs that match if their distance is at most a threshold.

The terms are from ISO/IEC 19795-1. The false match rate (FMR) is over pairs of different people, the true match rate
(TMR) over pairs of one person. The false non-match rate is 1 - TMR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.accuracy.pairs import PairDistances


@dataclass(frozen=True, slots=True)
class Rates:
    """Distances in ascending order, and the number of pairs, or the sum of their weights, up to and with each.

    `genuine_pairs` and `impostor_pairs` count all pairs, including those not kept because they are too far apart.
    """

    genuine: NDArray[np.float64]
    genuine_counts: NDArray[np.float64]
    genuine_pairs: float
    impostor: NDArray[np.float64]
    impostor_counts: NDArray[np.float64]
    impostor_pairs: float

    def true_match_rate(self, threshold: float) -> float:
        return float(self.curve(np.array([threshold]))[1][0])

    def false_match_rate(self, threshold: float) -> float:
        """Return the false match rate at a threshold; NaN if pairs that far apart were not kept."""
        if self._cut_off and threshold > self.impostor[-1]:
            return float("nan")
        return float(self.curve(np.array([threshold]))[0][0])

    def threshold_at(self, fmr: float) -> float:
        """Return the largest distance at which the false match rate is at most `fmr`.

        It is just below the distance of the first impostor pair that would exceed the rate. If no pair exceeds the
        rate, it is the distance of the farthest pair; NaN if that pair was not kept.
        """
        allowed = fmr * self.impostor_pairs * (1 + 1e-12)
        if self._cut_off and self.impostor_counts[-1] <= allowed:
            return float("nan")
        number = int(np.searchsorted(self.impostor_counts, allowed, "right"))
        return float(self.impostor[-1] if number == len(self.impostor) else np.nextafter(self.impostor[number], 0))

    def equal_error_rate(self) -> float:
        """Return the mean of the two error rates at the pair's distance where they are nearest to each other.

        NaN if that distance is beyond the pairs that were kept.
        """
        distances = np.concatenate([self.genuine[np.isfinite(self.genuine)], self.impostor])
        false_matches, true_matches = self.curve(distances)
        nearest = int(np.argmin(np.abs(false_matches + true_matches - 1)))
        if self._cut_off and distances[nearest] >= self.impostor[-1]:
            return float("nan")
        return float(false_matches[nearest] + 1 - true_matches[nearest]) / 2

    def curve(self, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the false and the true match rates at thresholds; only valid up to the farthest pair kept."""
        return (
            _up_to(self.impostor, self.impostor_counts, thresholds) / self.impostor_pairs,
            _up_to(self.genuine, self.genuine_counts, thresholds) / self.genuine_pairs,
        )

    @property
    def _cut_off(self) -> bool:
        return len(self.impostor) > 0 and bool(self.impostor_counts[-1] < self.impostor_pairs * (1 - 1e-9))


def rates(
    pairs: PairDistances,
    genuine_weights: NDArray[np.float64] | None = None,
    impostor_weights: NDArray[np.float64] | None = None,
    impostor_pairs: float | None = None,
) -> Rates:
    """Return the rates of all pairs, or, with weights, of a resampled set.

    `impostor_pairs` is the total weight of the resampled set's impostor pairs, including those not kept.
    """
    if genuine_weights is None:
        genuine_weights = np.ones(len(pairs.genuine))
    if impostor_weights is None:
        impostor_weights = np.ones(len(pairs.impostor))
    return Rates(
        pairs.genuine,
        np.cumsum(genuine_weights),
        float(genuine_weights.sum()),
        pairs.impostor,
        np.cumsum(impostor_weights),
        pairs.impostors if impostor_pairs is None else impostor_pairs,
    )


def _up_to(
    distances: NDArray[np.float64], counts: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.concatenate([[0.0], counts])[np.searchsorted(distances, thresholds, "right")]
