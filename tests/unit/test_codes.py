"""Codes choose candidates and miss no near face."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chalicelib.gallery import integer_distances
from chalicelib.gallery.codes import BLOCK_FACES, CodeBook, Coded, encode

Vectors = NDArray[np.float32]


def _book(vectors: Vectors) -> CodeBook:
    book = CodeBook(vectors.shape[1])
    book.add(encode(np.arange(len(vectors)), vectors))
    return book


def _distances(probe: Vectors, vectors: Vectors) -> NDArray[np.float64]:
    difference = vectors.astype(np.float64) - probe.astype(np.float64)
    return np.asarray(np.sqrt(np.sum(difference**2, axis=1)))


def _faces(kind: str, count: int, dimension: int, seed: int) -> Vectors:
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((count, dimension)).astype(np.float32)
    match kind:
        case "unit length":
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        case "of any length":
            vectors *= np.exp(random.uniform(-8, 8, (count, 1))).astype(np.float32)
        case "clustered":
            vectors = vectors[random.integers(0, min(20, count), count)] + vectors * np.float32(0.01)
        case "duplicates":
            vectors = vectors[random.integers(0, min(5, count), count)]
        case "extreme":
            vectors *= np.float32(10.0) ** random.integers(-37, 38, (count, 1)).astype(np.float32)
        case "sparse":
            vectors[random.random((count, dimension)) < 0.97] = 0
        case "one large component":
            vectors[:, 3] += np.float32(1000)
    return vectors


KINDS = [
    "random",
    "unit length",
    "of any length",
    "clustered",
    "duplicates",
    "extreme",
    "sparse",
    "one large component",
]


@settings(max_examples=150)
@given(
    kind=st.sampled_from(KINDS),
    count=st.integers(1, 400),
    dimension=st.sampled_from([4, 64, 128, 512]),
    seed=st.integers(0, 2**32),
    nearest=st.floats(0, 1),
    most=st.integers(1, 500),
)
def test_no_near_face_is_missing(kind: str, count: int, dimension: int, seed: int, nearest: float, most: int) -> None:
    vectors = _faces(kind, count, dimension, seed)
    probe = vectors[0] + vectors[-1] * np.float32(0.1) if seed % 2 else vectors[0]
    distances = _distances(probe, vectors)
    threshold = float(np.sort(distances)[int(nearest * (count - 1))])  # one face lies exactly on it

    candidates = _book(vectors).near(probe.astype(np.float64), threshold, most)

    near = np.flatnonzero(distances <= threshold)
    wanted = near[np.lexsort((near, distances[near]))][:most]
    assert set(wanted) <= set(candidates.ids)
    assert len(set(candidates.ids)) == len(candidates.ids)
    assert np.all(candidates.at_least <= distances[candidates.ids])
    assert np.all(np.diff(candidates.at_least) >= 0)
    assert set(np.flatnonzero(distances <= candidates.reach)) <= set(candidates.ids)


def test_few_far_faces_are_candidates() -> None:
    vectors = _faces("unit length", 100_000, 128, 1)
    probe = vectors[17]
    threshold = float(np.partition(_distances(probe, vectors), 100)[100])

    candidates = _book(vectors).near(probe.astype(np.float64), threshold, 10_000)

    assert 101 <= len(candidates.ids) < 300


def test_a_threshold_that_includes_everyone_fetches_only_the_nearest() -> None:
    vectors = _faces("unit length", 100_000, 128, 2)

    candidates = _book(vectors).near(vectors[0].astype(np.float64), 100.0, 50)

    assert 50 <= len(candidates.ids) < 500


def test_an_outlier_does_not_coarsen_the_other_codes() -> None:
    vectors = _faces("unit length", 1_000, 128, 3)
    vectors[500] *= 10_000
    probe = vectors[0].astype(np.float64)

    candidates = _book(vectors).near(probe, 0.5, 10)

    assert candidates.ids.tolist() == [0]


def test_a_zero_vector_is_found() -> None:
    vectors = np.zeros((3, 128), np.float32)
    vectors[1] = 1

    assert sorted(_book(vectors).near(np.zeros(128), 0.0, 10).ids) == [0, 2]


def test_more_faces_than_one_block_holds() -> None:
    count = BLOCK_FACES + 1_000
    vectors = _faces("unit length", count, 8, 4)
    book = CodeBook(8)
    for start in range(0, count, 7_001):
        ids = np.arange(start, min(start + 7_001, count))
        book.add(encode(ids, vectors[ids]))

    assert len(book) == count
    for probe in (0, BLOCK_FACES - 1, BLOCK_FACES, count - 1):
        assert probe in book.near(vectors[probe].astype(np.float64), 0.0, 5).ids


def test_only_removed_faces_are_gone() -> None:
    vectors = _faces("of any length", 2_000, 16, 5)
    book = _book(vectors)
    removed = np.random.default_rng(6).permutation(2_000)[:1_500]

    book.remove(np.concatenate([removed, [5_000_000]]))

    assert len(book) == 500
    kept = np.setdiff1d(np.arange(2_000), removed)
    assert set(book.near(np.zeros(16), 1e9, 10_000).ids) == set(kept)
    for face in kept[:50]:
        assert face in book.near(vectors[face].astype(np.float64), 0.0, 5).ids


def test_memory_stays_flat_while_faces_are_added_and_removed() -> None:
    vectors = _faces("unit length", 10_000, 8, 12)
    book = CodeBook(8)
    for generation in range(40):
        first = generation * 10_000
        book.add(encode(np.arange(first, first + 10_000), vectors))
        # Remove every other face of the previous generation, then the rest of the generation before it.
        book.remove(np.arange(first - 10_000, first, 2))
        book.remove(np.arange(first - 19_999, first - 10_000, 2))

    assert len(book) == 15_000
    assert sum(len(block.ids) for block in book._blocks) <= 3 * 15_000
    book.remove(np.arange(400_000))
    assert book._blocks == []


def test_a_removed_faces_code_is_erased_from_memory() -> None:
    marked = np.zeros((10, 32), np.float32)
    marked[:, :31] = np.linspace(0.2, 1, 31)
    marked[4, :31] = np.linspace(1, 0.2, 31)
    [coded] = encode(np.arange(10), marked)
    code = coded.codes[4].tobytes()
    book = CodeBook(32)
    book.add([coded])
    assert code in _memory(book)

    book.remove(np.array([4]))

    assert code not in _memory(book)
    assert _memory(book).count(coded.codes[0].tobytes()) == 9


def _memory(book: CodeBook) -> bytes:
    return b"".join(block._codes.tobytes() for block in book._blocks)


def test_it_returns_the_faces_it_does_not_know() -> None:
    book = _book(_faces("of any length", 300, 8, 7))
    book.remove(np.array([5]))

    assert book.unknown(np.array([4, 5, 299, 300, -1])).tolist() == [False, True, False, True, True]


@pytest.mark.parametrize("dimension", [1, 3, 64, 127, 128, 512])
def test_integer_distances_are_exact_with_simsimd_and_with_numpy(dimension: int) -> None:
    random = np.random.default_rng(8)
    codes = random.integers(-127, 128, (10_000, dimension), np.int8)
    codes[0], codes[1] = 127, -127
    probe = np.full(dimension, 127, np.int8)
    exact = np.sum((codes.astype(np.int64) - probe.astype(np.int64)) ** 2, axis=1)

    assert np.array_equal(integer_distances.squared_distances(probe, codes), exact)
    assert np.array_equal(integer_distances.with_numpy(probe, codes), exact)


def test_without_simsimd_the_results_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = _faces("clustered", 5_000, 128, 9)
    probe = vectors[1].astype(np.float64)
    fast = _book(vectors).near(probe, 0.5, 1_000)

    monkeypatch.setattr(integer_distances, "simsimd", None)
    slow = _book(vectors).near(probe, 0.5, 1_000)

    assert np.array_equal(fast.ids, slow.ids)
    assert np.array_equal(fast.at_least, slow.at_least)


def test_codes_from_a_segment_join_added_codes() -> None:
    vectors = _faces("unit length", 100, 16, 10)
    coded = encode(np.arange(100), vectors)
    book = CodeBook(16)

    book.add([Coded(c.exponent, c.residual, c.ids, c.codes, c.sets) for c in coded])
    book.add(encode(np.array([100]), vectors[:1]))

    assert sorted(book.near(vectors[0].astype(np.float64), 0.0, 10).ids) == [0, 100]
