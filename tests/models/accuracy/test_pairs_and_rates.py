"""Error rates over all pairs of a set's pictures, against brute force and cases calculated by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from models.accuracy.pairs import PairDistances, all_pairs
from models.accuracy.rates import rates

# Points on a line: a at 0 and 1, b at 4 and 6, c at 11. Genuine: 1, 2. Impostor: 3, 4, 5, 5, 6, 7, 10, 11.
POINTS = np.array([[0.0], [1], [4], [6], [11]], np.float32)
NAMES = ["a", "a", "b", "b", "c"]


def _random_set(seed: int = 1) -> tuple[NDArray[np.float32], list[str]]:
    """Return 90 pictures of 12 people whose embeddings overlap, and their names. Three pictures show no face."""
    random = np.random.default_rng(seed)
    people = random.integers(0, 12, 90)
    embeddings = random.normal(0, 1, (12, 4))[people] + random.normal(0, 0.6, (90, 4))
    embeddings[[3, 40, 77]] = np.nan
    return embeddings.astype(np.float32), [f"person {number}" for number in people]


def _brute_force(embeddings: NDArray[np.float32], names: list[str]) -> tuple[list[float], list[float]]:
    genuine, impostor = [], []
    for i, j in itertools.combinations(range(len(names)), 2):
        distance = float(np.linalg.norm(embeddings[i].astype(np.float64) - embeddings[j]))
        if names[i] == names[j]:
            genuine.append(np.inf if np.isnan(distance) else distance)
        elif not np.isnan(distance):
            impostor.append(distance)
    return genuine, impostor


def _pairs(genuine: list[float], impostor: list[float]) -> PairDistances:
    """Return pairs with these distances, without people."""
    nobody = np.zeros((0, 2), np.int64)
    return PairDistances(
        np.sort(genuine), nobody, np.sort(impostor), nobody, len(impostor), 0.0, nobody[:, 0], np.zeros(0, bool)
    )


class TestPairs:
    @pytest.mark.parametrize("block", [7, 1000])
    def test_every_pair_is_counted_once(self, block: int) -> None:
        embeddings, names = _random_set()
        genuine, impostor = _brute_force(embeddings, names)

        pairs = all_pairs(embeddings, names, block=block)

        assert pairs.genuine == pytest.approx(sorted(genuine))
        assert pairs.impostor == pytest.approx(sorted(impostor))
        assert pairs.impostors == len(impostor)
        assert pairs.faces_a_person.sum() == 87

    def test_each_distance_belongs_to_its_pictures(self) -> None:
        embeddings, names = _random_set()

        pairs = all_pairs(embeddings, names)

        for distances, pictures, same in (
            (pairs.genuine, pairs.genuine_pictures, True),
            (pairs.impostor, pairs.impostor_pictures, False),
        ):
            for distance, (i, j) in zip(distances, pictures, strict=True):
                assert (names[i] == names[j]) is same
                if np.isfinite(distance):
                    assert distance == pytest.approx(np.linalg.norm(embeddings[i] - embeddings[j]), abs=1e-5)

    def test_the_nearest_impostors_are_kept_and_the_others_only_counted(self) -> None:
        embeddings, names = _random_set()
        every = all_pairs(embeddings, names)

        few = all_pairs(embeddings, names, most_kept=50, block=5)

        assert few.impostor == pytest.approx(every.impostor[:50])
        assert few.impostors == every.impostors
        assert few.auc == pytest.approx(every.auc)

    def test_the_auc_is_the_probability_that_a_genuine_pair_is_nearer(self) -> None:
        embeddings, names = _random_set()
        genuine, impostor = _brute_force(embeddings, names)

        nearer = np.array(genuine)[:, None] - np.array(impostor)[None]

        assert 0.6 < all_pairs(embeddings, names).auc < 0.999
        assert all_pairs(embeddings, names).auc == pytest.approx(np.mean(nearer < 0) + np.mean(nearer == 0) / 2)

    def test_equal_distances_count_as_half(self) -> None:
        # Genuine: 1. Impostor: 1 and 2.
        assert all_pairs(np.array([[0.0], [1], [2]], np.float32), ["a", "a", "b"]).auc == 0.75


class TestRates:
    @pytest.mark.parametrize(
        ("threshold", "true", "false"),
        [(0.5, 0, 0), (1, 0.5, 0), (2, 1, 0), (3, 1, 1 / 8), (5, 1, 4 / 8), (4.99, 1, 2 / 8), (20, 1, 1)],
    )
    def test_a_pair_matches_up_to_and_including_the_threshold(
        self, threshold: float, true: float, false: float
    ) -> None:
        of_set = rates(all_pairs(POINTS, NAMES))

        assert of_set.true_match_rate(threshold) == true
        assert of_set.false_match_rate(threshold) == false

    @pytest.mark.parametrize(("fmr", "too_many"), [(0.1, 3), (1 / 8, 4), (2 / 8, 5), (3 / 8, 5), (4 / 8, 6)])
    def test_the_threshold_at_a_false_match_rate_is_the_largest_within_it(self, fmr: float, too_many: float) -> None:
        """The threshold is just below the first pair too many: 5 at 3/8, as two pairs at 5 would make 4/8."""
        threshold = rates(all_pairs(POINTS, NAMES)).threshold_at(fmr)

        assert too_many - 1e-9 < threshold < too_many

    def test_at_rate_1_the_threshold_is_the_largest_distance(self) -> None:
        assert rates(all_pairs(POINTS, NAMES)).threshold_at(1) == 11

    def test_a_genuine_pair_without_a_face_does_not_match(self) -> None:
        points = POINTS.copy()
        points[1] = np.nan

        of_set = rates(all_pairs(points, NAMES))

        assert of_set.true_match_rate(1000) == 0.5
        assert of_set.impostor_pairs == 5

    def test_the_equal_error_rate_is_where_the_error_rates_cross(self) -> None:
        # At 4, one of four impostor pairs matches, and one of four genuine pairs does not.
        assert rates(_pairs([1, 2, 3, 5], [4, 6, 7, 8])).equal_error_rate() == 0.25
        assert rates(_pairs([1, 2], [3, 4])).equal_error_rate() == 0
        assert rates(_pairs([3, 4], [1, 2])).equal_error_rate() == 1

    def test_rates_agree_with_brute_force(self) -> None:
        embeddings, names = _random_set()
        genuine, impostor = (np.array(distances) for distances in _brute_force(embeddings, names))

        of_set = rates(all_pairs(embeddings, names))

        for threshold in np.linspace(0, 5, 50):
            assert of_set.true_match_rate(threshold) == pytest.approx(np.mean(genuine <= threshold))
            assert of_set.false_match_rate(threshold) == pytest.approx(np.mean(impostor <= threshold))
        for fmr in (0.001, 0.01, 0.1, 0.3):
            threshold = of_set.threshold_at(fmr)
            assert np.mean(impostor <= threshold - 1e-9) <= fmr
            assert np.mean(impostor <= np.min(impostor[impostor > threshold - 1e-9])) > fmr

    def test_rates_beyond_the_kept_pairs_are_nan(self) -> None:
        embeddings, names = _random_set()

        few = rates(all_pairs(embeddings, names, most_kept=50))

        assert np.isnan(few.threshold_at(0.5))
        assert np.isnan(few.false_match_rate(4.0))
        assert np.isnan(few.equal_error_rate())
