"""QueryVectors in the emulation of S3 Vectors, compared with NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.integration.vector_client import VectorIndex, refused

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

DIMENSION = 16


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(7)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_all_pages_together_equal_numpys_result(
    s3_vectors: S3VectorsClient, random: np.random.Generator, metric: str
) -> None:
    index = VectorIndex(s3_vectors, DIMENSION, metric)
    vectors = _vectors(random, 700) * random.uniform(0.01, 9.0, (700, 1)).astype(np.float32)
    index.put(range(700), vectors)

    for most in (1, 100, 101, 650, 10_000):
        probe = _vectors(random, 1)[0]
        found = index.query(probe, most, returnDistance=True)

        distances = _distances(metric, vectors, probe)
        nearest = np.argsort(distances, kind="stable")[:most]
        assert [int(vector["key"]) for vector in found] == nearest.tolist()
        assert [vector["distance"] for vector in found] == pytest.approx(distances[nearest].tolist(), rel=1e-6)


def test_distances_equal_in_float32_are_still_ordered(s3_vectors: S3VectorsClient, random: np.random.Generator) -> None:
    index = VectorIndex(s3_vectors, DIMENSION)
    far = _vectors(random, 1) * np.float32(1_000)
    vectors = far + np.float32(0.001) * _vectors(random, 600)
    index.put(range(600), vectors)
    probe = (far + np.float32(0.001) * _vectors(random, 1))[0]

    found = index.query(probe, 20)

    nearest = np.argsort(_distances("euclidean", vectors, probe), kind="stable")[:20]
    assert [int(vector["key"]) for vector in found] == nearest.tolist()


def test_equally_near_vectors_have_a_stable_order_unrelated_to_insertion(
    s3_vectors: S3VectorsClient,
) -> None:
    index = VectorIndex(s3_vectors, 2)
    keys = [f"twin-{i * 7 % 250}" for i in range(250)]
    index.put(keys, np.array([[i % 5, 0] for i in range(250)], np.float32))

    found = [vector["key"] for vector in index.query(np.zeros(2, np.float32), 240)]
    assert [keys.index(key) % 5 for key in found] == sorted(i % 5 for i in range(250))[:240]
    assert found[:50] != keys[::5]
    index.put(keys[::-1], np.array([[i % 5, 0] for i in range(250)][::-1], np.float32))
    assert [vector["key"] for vector in index.query(np.zeros(2, np.float32), 240)] == found


def test_a_reply_has_the_requested_fields_and_the_metric(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 2)
    index.put(["a"], np.array([[3, 4]], np.float32), [{"set": 2}])
    query: Any = {**index.at, "queryVector": {"float32": [0, 0]}, "topK": 5}

    bare = index.client.query_vectors(**query)
    full = index.client.query_vectors(**query, returnDistance=True, returnMetadata=True)

    assert bare["distanceMetric"] == "euclidean"
    assert bare["vectors"] == [{"key": "a"}]
    assert full["vectors"] == [{"key": "a", "distance": 5.0, "metadata": {"set": 2}}]
    assert "nextToken" not in bare


def test_a_query_sees_every_write_before_it(s3_vectors: S3VectorsClient, random: np.random.Generator) -> None:
    index = VectorIndex(s3_vectors, DIMENSION)
    kept: dict[str, Any] = {}
    for step in range(6):
        keys = [str(key) for key in random.integers(0, 1_000, 300)]
        vectors = _vectors(random, 300)
        index.put(keys, vectors)
        kept |= dict(zip(keys, vectors, strict=True))
        gone = [str(key) for key in random.integers(0, 1_000, 250)]
        index.client.delete_vectors(**index.at, keys=gone)
        kept = {key: vector for key, vector in kept.items() if key not in gone}

        probe = _vectors(random, 1)[0]
        distances = dict(zip(kept, _distances("euclidean", np.array([*kept.values()]), probe), strict=True))
        found = index.query(probe, 50)
        assert {vector["key"] for vector in found} == set(sorted(distances, key=distances.__getitem__)[:50]), step
    assert sorted(index.keys()) == sorted(kept)


def test_later_pages_continue_the_first_pages_result(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1)
    index.put(range(150), np.arange(150, dtype=np.float32)[:, None])
    query: Any = {**index.at, "queryVector": {"float32": [0]}, "topK": 150}

    first = index.client.query_vectors(**query)
    index.client.delete_vectors(**index.at, keys=["0", "120"])
    second = index.client.query_vectors(**query, nextToken=first["nextToken"])

    assert [int(vector["key"]) for vector in first["vectors"] + second["vectors"]] == list(range(150))


def test_a_token_is_valid_only_for_its_own_query(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1)
    index.put(range(150), np.arange(150, dtype=np.float32)[:, None])
    query: Any = {**index.at, "queryVector": {"float32": [0]}, "topK": 150}
    token = index.client.query_vectors(**query)["nextToken"]

    for wrong in ({"topK": 149}, {"queryVector": {"float32": [1]}}, {"filter": {"set": 1}}, {"nextToken": "x.100"}):
        with refused():
            index.client.query_vectors(**{**query, "nextToken": token, **wrong})
    other = VectorIndex(s3_vectors, 1)
    with refused():
        index.client.query_vectors(**{**query, **other.at, "nextToken": token})


@pytest.mark.parametrize(
    "wrong",
    [
        {"topK": 10_001},
        {"queryMode": "CLASSIC"},
        {"queryVector": {"float32": [0, 0]}},
        {"queryVector": {"float32": [float("nan")]}},
        {"filter": {}},
        {"filter": {"secret": 1}},
    ],
    ids=str,
)
def test_queries_that_no_index_answers(s3_vectors: S3VectorsClient, wrong: dict[str, Any]) -> None:
    index = VectorIndex(s3_vectors, 1, metadataConfiguration={"nonFilterableMetadataKeys": ["secret"]})
    query: Any = {**index.at, "queryVector": {"float32": [0]}, "topK": 1}

    with refused():
        index.client.query_vectors(**{**query, **wrong})


def _vectors(random: np.random.Generator, count: int) -> Any:
    return random.standard_normal((count, DIMENSION)).astype(np.float32)


def _distances(metric: str, vectors: Any, probe: Any) -> Any:
    exact, at = vectors.astype(np.float64), probe.astype(np.float64)
    if metric == "cosine":
        return 1 - exact @ at / (np.linalg.norm(exact, axis=1) * np.linalg.norm(at))
    return np.linalg.norm(exact - at, axis=1)
