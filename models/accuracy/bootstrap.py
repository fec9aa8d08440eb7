"""Intervals for rates of pairs, by drawing people anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from models.accuracy.pairs import PairDistances
from models.accuracy.rates import Rates, rates

RESAMPLES = 1000
LEVEL = 0.95

Interval = tuple[float, float]


def intervals(
    pairs: PairDistances, figures: Callable[[Rates], list[float]], resamples: int = RESAMPLES, seed: int = 0
) -> list[Interval]:
    """Return the 95 % percentile interval of each figure.

    People are drawn with replacement, as many as there are, with all their pictures: pairs share people, so drawing
    pairs would give intervals far too narrow. A genuine pair weighs as often as its person was drawn, an impostor pair
    as often as one person times the other; two draws of one person make no pair. After Bolle, Ratha and Pankanti,
    "Error analysis of pattern recognition systems: the subsets bootstrap", 2004, for genuine pairs, and Snijders and
    Borgatti, "Non-parametric standard errors and tests for network statistics", 1999, for those between two people.
    With a dozen people such an interval is rough.
    """
    random = np.random.default_rng(seed)
    people = len(pairs.faces_a_person)
    of_genuine = pairs.people[pairs.genuine_pictures[:, 0]]
    of_impostor = pairs.people[pairs.impostor_pictures]
    drawn: list[list[float]] = []
    while len(drawn) < resamples:
        times = np.bincount(random.integers(0, people, people), minlength=people).astype(np.float64)
        genuine = times[of_genuine]
        faces = times * pairs.faces_a_person
        # Half of all ordered pairs, without those of two faces of one person.
        total = float(faces.sum() ** 2 - np.sum(faces**2)) / 2
        if genuine.sum() == 0 or total == 0:
            continue
        impostor = times[of_impostor[:, 0]] * times[of_impostor[:, 1]]
        drawn.append(figures(rates(pairs, genuine, impostor, total)))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.array(drawn), [tail, 1 - tail], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))
