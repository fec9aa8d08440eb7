"""Bootstrap intervals from resampled people."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from models.accuracy.bootstrap import intervals
from models.accuracy.pairs import all_pairs
from models.accuracy.rates import Rates, rates


def _figures(of_set: Rates) -> list[float]:
    return [of_set.true_match_rate(1.0), of_set.false_match_rate(1.0)]


def _people(random: np.random.Generator, people: int, pictures: int) -> tuple[NDArray[np.float32], list[str]]:
    """Return pictures of people, some of whom vary far more than others, so pairs of one person are correlated."""
    numbers = np.repeat(np.arange(people), pictures)
    spread = random.uniform(0.1, 0.9, people)
    points = random.normal(0, 1, (people, 3))[numbers] + random.normal(0, 1, (len(numbers), 3)) * spread[numbers, None]
    return points.astype(np.float32), numbers.astype(str).tolist()


def test_weights_equal_the_pairs_of_a_set_with_repeated_people() -> None:
    """Drawing person 0 twice and person 1 never equals a set with a second person 0, without the pairs between both."""
    embeddings, names = _people(np.random.default_rng(2), people=3, pictures=4)
    pairs = all_pairs(embeddings, names)
    times = np.array([2.0, 0, 1])
    genuine = times[pairs.people[pairs.genuine_pictures[:, 0]]]
    impostor = times[pairs.people[pairs.impostor_pictures]].prod(axis=1)
    zero, two = embeddings[:4].astype(np.float64), embeddings[8:].astype(np.float64)
    across = np.linalg.norm(zero[:, None] - two[None], axis=2).ravel()
    within = [np.linalg.norm(one[:, None] - one[None], axis=2)[np.triu_indices(4, 1)] for one in (zero, zero, two)]

    weighted = rates(pairs, genuine, impostor, impostor_pairs=2 * 16)

    assert weighted.true_match_rate(1.0) == pytest.approx(np.mean(np.concatenate(within) <= 1))
    assert weighted.false_match_rate(1.0) == pytest.approx(np.mean(across <= 1))


def test_about_95_of_100_intervals_contain_the_truth() -> None:
    """Intervals from resampled pairs, treated as independent, contain the truth far less often."""
    random = np.random.default_rng(7)
    truth = np.mean([_figures(rates(all_pairs(*_people(random, 40, 5)))) for _ in range(150)], axis=0)
    held = np.zeros(2)
    held_by_pairs = 0
    for _ in range(60):
        pairs = all_pairs(*_people(random, 40, 5))
        bounds = np.array(intervals(pairs, _figures, resamples=120))
        held += (bounds[:, 0] <= truth) & (truth <= bounds[:, 1])
        true = rates(pairs).true_match_rate(1.0)
        half_width = 1.96 * np.sqrt(true * (1 - true) / len(pairs.genuine))
        held_by_pairs += abs(true - truth[0]) <= half_width

    assert (held >= 51).all()
    assert held_by_pairs <= 48


def test_the_same_seed_gives_the_same_intervals() -> None:
    pairs = all_pairs(*_people(np.random.default_rng(3), 10, 4))

    assert intervals(pairs, _figures, 50) == intervals(pairs, _figures, 50)
    assert intervals(pairs, _figures, 50) != intervals(pairs, _figures, 50, seed=1)


def test_resamples_without_a_genuine_pair_are_drawn_again() -> None:
    points = np.arange(6, dtype=np.float32)[:, None]

    [(low, high)] = intervals(
        all_pairs(points, ["a", "a", "b", "c", "d", "e"]), lambda of_set: [of_set.true_match_rate(1.0)], 50
    )

    assert (low, high) == (1, 1)
