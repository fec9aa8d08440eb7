"""Faces are grouped by average linkage, and their order does not matter."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.service.grouping import grouped, groups
from chalicelib.vision.model_pack import Threshold

Faces = NDArray[np.float32]


def at(*places: float) -> Faces:
    """Return embeddings on a line, where distances are plain to see."""
    return np.array(places, np.float32)[:, None]


def of_people(people: int, faces_each: int, dimension: int = 16, seed: int = 3) -> tuple[Faces, NDArray[np.int64]]:
    """Return the embeddings of people far from each other, and the person of each."""
    random = np.random.default_rng(seed)
    labels = np.repeat(np.arange(people), faces_each)
    centres = random.normal(0, 1, (people, dimension))
    noise = random.normal(0, 0.2 / np.sqrt(dimension), (len(labels), dimension))
    return (centres[labels] + noise).astype(np.float32), labels


def as_sets(found: list[list[int]]) -> set[frozenset[int]]:
    return {frozenset(group) for group in found}


def by_definition(faces: Faces, threshold: float) -> set[frozenset[int]]:
    """Join the two nearest groups, again and again, looking at every pair of faces each time."""
    distances = np.linalg.norm(faces[:, None].astype(np.float64) - faces[None], axis=2)
    found = [[face] for face in range(len(faces))]
    while len(found) > 1:
        mean, one, other = min(
            (distances[np.ix_(found[one], found[other])].mean(), one, other)
            for one, other in combinations(range(len(found)), 2)
        )
        if mean > threshold:
            break
        found[one] += found.pop(other)
    return as_sets(found)


def test_no_face_makes_no_group() -> None:
    assert groups(np.zeros((0, 4), np.float32), 0.65) == []


def test_one_face_is_alone() -> None:
    assert groups(at(1), 0.65) == [[0]]


@pytest.mark.parametrize(("distance", "found"), [(0.5, [[0, 1]]), (0.75, [[0], [1]]), (0.625, [[0, 1]])])
def test_two_faces_are_together_up_to_the_threshold(distance: float, found: list[list[int]]) -> None:
    assert groups(at(0, distance), 0.625) == found


def test_equal_embeddings_are_together_at_any_threshold() -> None:
    assert groups(at(3, 1, 3, 1, 3), 0) == [[0, 2, 4], [1, 3]]


def test_equal_embeddings_count_as_several_faces() -> None:
    """The lone face is 0.9 from three faces and 0.5 from one: 0.8 on average. Counted once, they would join."""
    assert groups(at(0, 0, 0, 0.4, 0.9), 0.79) == [[0, 1, 2, 3], [4]]


def test_the_largest_group_comes_first_and_faces_keep_their_order() -> None:
    assert groups(at(9, 5, 1, 5, 1, 5, 7), 0.1) == [[1, 3, 5], [2, 4], [0], [6]]


def test_a_chain_of_near_faces_does_not_join_two_people() -> None:
    """Each face of the chain is within the threshold of the next, which single linkage would follow to the end."""
    one, other, chain = [0.0, 0.01, 0.02] * 5, [2.5, 2.51, 2.52] * 5, list(np.arange(0.3, 2.5, 0.3))

    found = groups(at(*one, *other, *chain), 0.65)

    [of_one] = [group for group in found if 0 in group]
    [of_other] = [group for group in found if len(one) in group]
    assert of_one != of_other
    assert set(range(len(one))) <= set(of_one)
    assert set(range(len(one), len(one) + len(other))) <= set(of_other)


@pytest.mark.parametrize("seed", range(20))
def test_the_groups_are_those_of_the_definition(seed: int) -> None:
    random = np.random.default_rng(seed)
    faces = random.normal(0, 0.3, (40, 6)).astype(np.float32)

    for threshold in (0.3, 0.5, 0.65, 0.8, 2.0):
        assert as_sets(groups(faces, threshold)) == by_definition(faces, threshold)


@pytest.mark.parametrize(
    "faces",
    [
        of_people(8, 6)[0],
        np.random.default_rng(5).normal(0, 0.3, (60, 4)).astype(np.float32),
        at(*range(30)),  # every distance is as long as many others
        np.random.default_rng(6).integers(0, 3, (60, 3)).astype(np.float32),
    ],
    ids=["people", "noise", "evenly spaced", "on a grid"],
)
def test_the_groups_do_not_depend_on_the_order_of_the_faces(faces: Faces) -> None:
    random = np.random.default_rng(8)
    expected = as_sets(groups(faces, 1.0))

    for _ in range(10):
        order = random.permutation(len(faces))
        found = groups(faces[order], 1.0)
        assert {frozenset(int(order[face]) for face in group) for group in found} == expected


def test_a_thousand_faces() -> None:
    faces, people = of_people(50, 20, dimension=512)

    found = groups(faces, 0.65)

    assert as_sets(found) == {frozenset(np.flatnonzero(people == person).tolist()) for person in range(50)}


def test_a_thousand_faces_that_are_all_joined_and_all_alone() -> None:
    faces = np.random.default_rng(4).normal(0, 1, (1000, 64)).astype(np.float32)

    assert groups(faces, 100.0) == [list(range(1000))]
    assert groups(faces, 0.01) == [[face] for face in range(1000)]


def test_the_threshold_is_that_of_the_models_rate() -> None:
    thresholds = [Threshold(fmr, distance, 0.9, "a set") for fmr, distance in ((1e-2, 0.9), (1e-3, 0.7), (1e-4, 0.4))]

    found = grouped(["a", "b", "c"], at(5, 0.6, 0), thresholds)

    assert found == ([["b", "c"]], ["a"], 0.7)


def test_a_model_without_measured_rates_has_the_reference_threshold() -> None:
    assert grouped(["a", "b", "c"], at(0, 0.64, 1.4), ()) == ([["a", "b"]], ["c"], 0.65)
