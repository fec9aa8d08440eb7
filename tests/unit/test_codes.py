"""Codes choose candidates and miss no near face."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import TensorProto, helper

from chalicelib.gallery import code_block, products
from chalicelib.gallery.code_block import BLOCK_FACES
from chalicelib.gallery.codes import CodeBook, encode

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
        case "ordered by variance":
            vectors *= np.exp(np.linspace(0, -4, dimension)).astype(np.float32)
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
    "ordered by variance",
]


@settings(max_examples=150)
@given(
    kind=st.sampled_from(KINDS),
    count=st.integers(1, 400),
    dimension=st.sampled_from([4, 64, 128, 160, 512]),
    seed=st.integers(0, 2**32),
    nearest=st.floats(0, 1),
    most=st.integers(1, 500),
    sliced=st.booleans(),
)
def test_no_near_face_is_missing(
    kind: str, count: int, dimension: int, seed: int, nearest: float, most: int, sliced: bool
) -> None:
    vectors = _faces(kind, count, dimension, seed)
    probe = vectors[0] + vectors[-1] * np.float32(0.1) if seed % 2 else vectors[0]
    distances = _distances(probe, vectors)
    threshold = float(np.sort(distances)[int(nearest * (count - 1))])  # one face lies exactly on it

    # Small blocks are sliced too, whatever the first slice leaves.
    least_sliced, few = (0, 1) if sliced else (code_block.LEAST_SLICED, code_block.FEW)
    with mock.patch.object(code_block, "LEAST_SLICED", least_sliced), mock.patch.object(code_block, "FEW", few):
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
    return b"".join(part.swapaxes(1, 2).tobytes() for block in book._blocks for part in block._slices)


def test_it_returns_the_faces_it_does_not_know() -> None:
    book = _book(_faces("of any length", 300, 8, 7))
    book.remove(np.array([5]))

    assert book.unknown(np.array([4, 5, 299, 300, -1])).tolist() == [False, True, False, True, True]


class TestSlices:
    def test_the_first_slice_alone_is_read_where_it_excludes_most_faces(self, read: list[tuple[int, ...]]) -> None:
        vectors = _faces("ordered by variance", 5_000, 160, 13)

        candidates = _book(vectors).near(vectors[3].astype(np.float64), 0.5, 1_000)

        assert candidates.ids[0] == 3
        assert {dimensions for _, dimensions, _ in read} == {128}

    def test_a_search_stops_slicing_where_that_excludes_few(self, read: list[tuple[int, ...]]) -> None:
        vectors = _faces("unit length", 40_000, 160, 14)

        _book(vectors).near(vectors[3].astype(np.float64), 1.3, 1_000)

        assert [dimensions for _, dimensions, _ in read] == [128, 32] * (len(read) // 2)

    @pytest.mark.parametrize("least_sliced", [0, 8_192])
    def test_several_probes_find_what_each_alone_finds(
        self, monkeypatch: pytest.MonkeyPatch, least_sliced: int
    ) -> None:
        monkeypatch.setattr(code_block, "LEAST_SLICED", least_sliced)
        vectors = np.concatenate([_faces(kind, 3_000, 160, 15) for kind in ("ordered by variance", "unit length")])
        book, probes = _book(vectors), vectors[::600].astype(np.float64)

        for threshold, most in ((0.5, 100), (1.0, 100), (1.3, 20), (100.0, 5)):
            together = book.near_each(probes, threshold, most)

            for probe, found in zip(probes, together, strict=True):
                alone = book.near(probe, threshold, most)
                assert np.array_equal(found.ids, alone.ids)
                assert np.array_equal(found.at_least, alone.at_least)
                assert found.reach == alone.reach

    @pytest.fixture
    def read(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
        """The shapes of the codes that are multiplied with probes; small blocks are sliced too."""
        monkeypatch.setattr(code_block, "LEAST_SLICED", 0)
        shapes: list[tuple[int, ...]] = []

        def recorded(probes: NDArray[np.uint8], read: NDArray[np.int8]) -> NDArray[np.int32]:
            shapes.append(read.shape)
            return products.products(probes, read)

        monkeypatch.setattr(code_block, "products", recorded)
        return shapes


class TestProducts:
    @pytest.mark.parametrize("probes", [1, 2, 20])
    @pytest.mark.parametrize("dimension", [1, 3, 64, 96, 127, 160, 512])
    def test_they_are_exact(self, dimension: int, probes: int) -> None:
        """The largest values would overflow 16 bits in some kernels, if probes could be larger."""
        random = np.random.default_rng(8)
        held = random.integers(-127, 128, (47, dimension, 64), np.int8)
        held[:, :, 0], held[:, :, 1] = 127, -127
        asked = random.integers(0, products.MAX_PROBE + 1, (probes, dimension), np.uint8)
        asked[0] = products.MAX_PROBE

        exact = asked.astype(np.int64) @ held.astype(np.int64)

        assert np.array_equal(products.products(asked, held), exact)

    def test_the_model_is_one_operator(self) -> None:
        shapes = {"probes": (TensorProto.UINT8, "md"), "codes": (TensorProto.INT8, "tdn")}
        taken = [helper.make_tensor_value_info(name, kind, list(shape)) for name, (kind, shape) in shapes.items()]
        made = helper.make_tensor_value_info("products", TensorProto.INT32, ["t", "m", "n"])
        node = helper.make_node("MatMulInteger", ["probes", "codes"], ["products"])
        graph = helper.make_graph([node], "products", taken, [made])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 10)], ir_version=8, producer_name="")

        assert model.SerializeToString() == products._MODEL
