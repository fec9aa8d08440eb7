"""Computes all accuracy figures of one labelled set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.accuracy.bootstrap import Interval, intervals
from models.accuracy.labelled_faces import LabelledSet, LabelsError
from models.accuracy.pairs import PairDistances, all_pairs
from models.accuracy.rates import Rates, rates

# The contract's reference threshold.
REFERENCE = 0.65
FALSE_MATCH_RATES = (1e-2, 1e-3, 1e-4)
# A false match rate that amounts to fewer pairs is marked in the report, and its threshold is not used in a card.
FEWEST_FALSE_MATCHES = 10


@dataclass(frozen=True, slots=True)
class Figure:
    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class MeasuredSet:
    """The figures of one labelled set.

    `at` maps each false match rate to the threshold and the true match rate there. `embeddings` (n x dimension) and
    `lengths` (n, before scaling to length 1) are NaN for pictures without a face.
    """

    labelled: LabelledSet
    pairs: PairDistances
    equal_error_rate: Figure
    true_at_reference: Figure
    false_at_reference: Figure
    at: dict[float, tuple[Figure, Figure]]
    embeddings: NDArray[np.float32]
    lengths: NDArray[np.float32]

    def supports(self, fmr: float) -> bool:
        """Return whether the set has enough pairs of different people for a figure at this false match rate."""
        return fmr * self.pairs.impostors >= FEWEST_FALSE_MATCHES

    def false_match_rate(self, threshold: float) -> float:
        """Return the share of pairs of different people within a distance; NaN if pairs that far were not kept."""
        return rates(self.pairs).false_match_rate(threshold)

    def true_match_rate(self, threshold: float) -> float:
        """Return the share of pairs of one person within a distance."""
        return rates(self.pairs).true_match_rate(threshold)

    def without_unrecognisable(self, least: float) -> Rates:
        """Return the rates if pairs with a face of a length below `least` do not match at any threshold."""
        embeddings = np.where((self.lengths >= least)[:, None], self.embeddings, np.nan)
        return rates(all_pairs(embeddings, self.labelled.people))

    @property
    def missed(self) -> list[str]:
        """The pictures without a found face, as folder/file."""
        missed = np.flatnonzero(~self.pairs.found)
        return ["/".join(self.labelled.files[index].parts[-2:]) for index in missed]


def measure(
    labelled: LabelledSet, embeddings: NDArray[np.float32], lengths: NDArray[np.float32] | None = None
) -> MeasuredSet:
    """Return all figures of a set; `lengths` are of the network's outputs, by default of `embeddings`.

    Raises
    ------
    LabelsError
        If there is no pair of one person, or no pair of different people.
    """
    pairs = all_pairs(embeddings, labelled.people)
    if not len(pairs.genuine) or not pairs.impostors:
        raise LabelsError(
            f"{labelled.name} needs two pictures of one person and faces of two people; it has "
            f"{len(pairs.genuine)} pairs of one person and {pairs.impostors} of different people"
        )

    def figures(measured: Rates) -> list[float]:
        thresholds = [measured.threshold_at(fmr) for fmr in FALSE_MATCH_RATES]
        return [
            measured.equal_error_rate(),
            measured.true_match_rate(REFERENCE),
            measured.false_match_rate(REFERENCE),
            *thresholds,
            *map(measured.true_match_rate, thresholds),
        ]

    values = map(Figure, figures(rates(pairs)), intervals(pairs, figures))
    equal_error_rate, true_at_reference, false_at_reference, *rest = values
    half = len(FALSE_MATCH_RATES)
    at = {
        fmr: (threshold, true_matches)
        for fmr, threshold, true_matches in zip(FALSE_MATCH_RATES, rest[:half], rest[half:], strict=True)
    }
    lengths = np.linalg.norm(embeddings, axis=1) if lengths is None else lengths
    return MeasuredSet(
        labelled, pairs, equal_error_rate, true_at_reference, false_at_reference, at, embeddings, lengths
    )
