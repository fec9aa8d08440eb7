"""Computes confidence intervals for rates of pairs, by resampling people."""

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

    As many people as there are in the set are drawn with replacement, each with all their pictures. Pairs share people,
    so drawing pairs would give intervals that are far too narrow. The weight of a genuine pair is the number of times
    that its person was drawn. The weight of an impostor pair is the product of these numbers for its two people. Two
    draws of one person make no pair.

    Sources: Bolle, Ratha and Pankanti, "Error analysis of pattern recognition systems: the subsets bootstrap", 2004,
    for genuine pairs; Snijders and Borgatti, "Non-parametric standard errors and tests for network statistics", 1999,
    for impostor pairs. With a dozen people, the interval is rough.
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
        # Half of all ordered pairs, without the pairs of two faces of one person.
        total = float(faces.sum() ** 2 - np.sum(faces**2)) / 2
        if genuine.sum() == 0 or total == 0:
            continue
        impostor = times[of_impostor[:, 0]] * times[of_impostor[:, 1]]
        drawn.append(figures(rates(pairs, genuine, impostor, total)))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(np.array(drawn), [tail, 1 - tail], axis=0)
    return list(zip(low.tolist(), high.tolist(), strict=True))
