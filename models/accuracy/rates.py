"""Error rates of pairs that pass as one person when their distance is at most a threshold.

The terms are ISO/IEC 19795-1's: the false match rate (FMR) is over pairs of different people, the true match rate (TMR)
over pairs of one person; the false non-match rate is what the latter lacks to 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.accuracy.pairs import PairDistances


@dataclass(frozen=True, slots=True)
class Rates:
    """Distances in ascending order, and how many pairs there are up to and with each: numbers, or sums of weights.

    `genuine_pairs` and `impostor_pairs` count all pairs, also those that are not kept because they are farther apart.
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
        """Return NaN where pairs as far as this were not kept."""
        if self._cut_off and threshold > self.impostor[-1]:
            return float("nan")
        return float(self.curve(np.array([threshold]))[0][0])

    def threshold_at(self, fmr: float) -> float:
        """Return the largest distance at which the false match rate is at most `fmr`.

        It is just below the first impostor pair that would be one too many, or the farthest pair's where none is. NaN
        where it is beyond the pairs that are kept.
        """
        allowed = fmr * self.impostor_pairs * (1 + 1e-12)
        if self._cut_off and self.impostor_counts[-1] <= allowed:
            return float("nan")
        number = int(np.searchsorted(self.impostor_counts, allowed, "right"))
        return float(self.impostor[-1] if number == len(self.impostor) else np.nextafter(self.impostor[number], 0))

    def equal_error_rate(self) -> float:
        """Return the mean of the two error rates at the distance of a pair where they are nearest to each other.

        NaN where it is beyond the pairs that are kept.
        """
        distances = np.concatenate([self.genuine[np.isfinite(self.genuine)], self.impostor])
        false_matches, true_matches = self.curve(distances)
        nearest = int(np.argmin(np.abs(false_matches + true_matches - 1)))
        if self._cut_off and distances[nearest] >= self.impostor[-1]:
            return float("nan")
        return float(false_matches[nearest] + 1 - true_matches[nearest]) / 2

    def curve(self, thresholds: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the false and the true match rate at each threshold, as far as pairs are kept."""
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
    """Return the rates of all pairs, or with weights those of a resampled set whose impostor pairs weigh that much."""
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
