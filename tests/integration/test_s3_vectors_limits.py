"""The emulation of S3 Vectors refuses requests beyond the service's model, its limits, an index or its rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import requests
from botocore.exceptions import ClientError

from infra.s3_vectors.emulation import emulation
from infra.s3_vectors.rates import WriteRates
from tests.integration.vector_client import VectorIndex, refused

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

ONE: dict[str, Any] = {"key": "a", "data": {"float32": [1.0]}}


@pytest.fixture
def index(unchecked: S3VectorsClient) -> VectorIndex:
    return VectorIndex(unchecked, 1)


@pytest.mark.parametrize(
    "vectors",
    [
        [],
        None,
        [ONE] * 501,
        [{"key": "a"}],
        [{**ONE, "key": ""}],
        [{**ONE, "key": "k" * 1_025}],
        [{**ONE, "key": 7}],
        [{**ONE, "data": {"float32": [1.0, 2.0]}}],
        [{**ONE, "data": {"float32": [float("inf")]}}],
        [{**ONE, "data": {"float32": [1e39]}}],
        [ONE, {**ONE, "data": {"float32": [float("nan")]}}],
        [{**ONE, "metadata": {"about": "x" * 2_100}}],
        [{**ONE, "metadata": {"about": {"nested": 1}}}],
        [{**ONE, "metadata": {"about": None}}],
        [{**ONE, "metadata": {str(i): 1 for i in range(51)}}],
        [{**ONE, "metadata": ["set"]}],
    ],
    ids=lambda vectors: str(vectors)[:60],
)
def test_a_put_that_is_refused_puts_nothing(index: VectorIndex, vectors: Any) -> None:
    with refused():
        index.client.put_vectors(**index.at, vectors=vectors)

    assert index.keys() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"sparse": True},
        {"vectors": [{**ONE, "name": "Ada"}]},
        {"vectors": [{"key": "a", "data": {"float16": [1.0]}}]},
        {"vectors": [{"key": "a", "data": {"float32": ["1"]}}]},
        {"vectors": [{"key": "a", "data": {"float32": [True]}}]},
    ],
    ids=str,
)
def test_requests_that_botocore_would_not_send_are_refused(index: VectorIndex, wrong: dict[str, Any]) -> None:
    scope = "20261126/eu-central-1/s3vectors/aws4_request"

    reply = requests.post(
        f"{index.client.meta.endpoint_url}/PutVectors",
        json={**index.at, "vectors": [ONE], **wrong},
        headers={"Authorization": f"AWS4-HMAC-SHA256 Credential=test/{scope}, SignedHeaders=host, Signature=none"},
        timeout=60,
    )

    assert reply.status_code == 400
    assert reply.headers["X-Amzn-ErrorType"] == "ValidationException"
    assert len(emulation.take_violations()) == 1
    assert index.keys() == []


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("delete_vectors", {"keys": ["a"] * 501}),
        ("get_vectors", {"keys": ["a"] * 101}),
        ("get_vectors", {"keys": []}),
        ("get_vectors", {}),
        ("list_vectors", {"maxResults": 1_001}),
        ("list_vectors", {"maxResults": 0}),
        ("list_vectors", {"segmentCount": 17, "segmentIndex": 0}),
        ("query_vectors", {"topK": 0, "queryVector": {"float32": [1.0]}}),
        ("query_vectors", {"topK": 1, "queryVector": {"float32": [1.0]}, "queryMode": "FAST"}),
        ("query_vectors", {"topK": 1}),
    ],
    ids=str,
)
def test_requests_that_the_model_forbids_are_refused(
    index: VectorIndex, operation: str, arguments: dict[str, Any]
) -> None:
    with refused():
        getattr(index.client, operation)(**index.at, **arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dimension": 0},
        {"dimension": 4_097},
        {"dataType": "float64"},
        {"distanceMetric": "manhattan"},
        {"indexName": "ab"},
        {"metadataConfiguration": {"nonFilterableMetadataKeys": []}},
    ],
    ids=str,
)
def test_invalid_indexes_are_refused(index: VectorIndex, wrong: dict[str, Any]) -> None:
    right = {"indexName": "second", "dataType": "float32", "dimension": 1, "distanceMetric": "euclidean"}

    with refused():
        index.client.create_index(vectorBucketName=index.at["vectorBucketName"], **{**right, **wrong})


def test_the_largest_dimension_is_4096(index: VectorIndex) -> None:
    index.client.create_index(
        vectorBucketName=index.at["vectorBucketName"],
        indexName="large",
        dataType="float32",
        dimension=4_096,
        distanceMetric="euclidean",
    )


def test_a_cosine_index_refuses_zero_vectors(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 2, "cosine")

    with refused():
        index.put(["a"], np.zeros((1, 2), np.float32))


def test_non_filterable_metadata_may_be_larger(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1, metadataConfiguration={"nonFilterableMetadataKeys": ["text"]})
    vector = np.ones((1, 1), np.float32)

    index.put(["a"], vector, [{"text": "x" * 30_000}])
    with refused():
        index.put(["b"], vector, [{"text": "x" * 41_000}])

    assert index.keys() == ["a"]


def test_a_request_of_more_than_20_mebibytes_is_refused(index: VectorIndex) -> None:
    with refused():
        index.client.put_vectors(**index.at, vectors=[{**ONE, "metadata": {"about": "x" * 21 * 2**20}}])


def test_an_index_must_be_named_in_exactly_one_way(index: VectorIndex) -> None:
    with refused():
        index.client.list_vectors(**index.at, indexArn=index.arn)
    with refused():
        index.client.list_vectors(indexName="faces")
    with refused():
        index.client.list_vectors(indexArn="faces")
    assert index.client.list_vectors(indexArn=index.arn)["vectors"] == []


@pytest.mark.parametrize("where", [{"indexName": "none"}, {"vectorBucketName": "none"}], ids=str)
def test_missing_resources_are_not_found(index: VectorIndex, where: dict[str, Any]) -> None:
    at = {**index.at, **where}
    calls: dict[str, dict[str, Any]] = {
        "put_vectors": {"vectors": [ONE]},
        "delete_vectors": {"keys": ["a"]},
        "get_vectors": {"keys": ["a"]},
        "list_vectors": {},
        "query_vectors": {"topK": 1, "queryVector": {"float32": [1.0]}},
        "get_index": {},
        "delete_index": {},
    }
    for operation, arguments in calls.items():
        with refused("NotFoundException", 404):
            getattr(index.client, operation)(**at, **arguments)


def test_a_second_index_with_the_same_name_is_a_conflict(index: VectorIndex) -> None:
    index.put(["a"], np.ones((1, 1), np.float32))

    with refused("ConflictException", 409):
        index.client.create_index(**index.at, dataType="float32", dimension=1, distanceMetric="euclidean")

    assert index.keys() == ["a"]


def test_writes_are_limited_to_2500_vectors_a_second(index: VectorIndex) -> None:
    now = [100.0]
    second = VectorIndex(index.client, 1)
    batch = [{**ONE, "key": str(i)} for i in range(500)]
    with emulation.limited(WriteRates(clock=lambda: now[0])):
        for _ in range(4):
            index.client.put_vectors(**index.at, vectors=batch)
        index.client.delete_vectors(**index.at, keys=[str(i) for i in range(499)])
        with refused("TooManyRequestsException", 429):
            index.client.delete_vectors(**index.at, keys=["1", "2"])
        index.client.delete_vectors(**index.at, keys=["1"])
        second.client.put_vectors(**second.at, vectors=batch)

        now[0] += 0.2
        index.client.put_vectors(**index.at, vectors=batch)
        with refused("TooManyRequestsException", 429):
            index.client.put_vectors(**index.at, vectors=[ONE])
        assert len(index.keys()) == 500


def test_writes_are_limited_to_1000_requests_a_second() -> None:
    now = [0.0]
    rates = WriteRates(clock=lambda: now[0])

    assert [rates.allow("arn", 1) for _ in range(1_001)] == [True] * 1_000 + [False]
    now[0] += 0.0011
    assert [rates.allow("arn", 1) for _ in range(2)] == [True, False]


def test_idle_time_saves_up_at_most_one_second() -> None:
    now = [0.0]
    rates = WriteRates(clock=lambda: now[0])
    rates.allow("arn", 500)

    now[0] += 60
    assert [rates.allow("arn", 500) for _ in range(6)] == [True] * 5 + [False]


def test_replies_are_counted(index: VectorIndex) -> None:
    before = emulation.replies()
    index.put(["a"], np.ones((1, 1), np.float32))
    with pytest.raises(ClientError):
        index.client.get_vectors(vectorBucketName="none", indexName="none", keys=["a"])

    after = emulation.replies()
    assert {name: count - before.get(name, 0) for name, count in after.items() if count != before.get(name, 0)} == {
        "PutVectors 200": 1,
        "GetVectors 404": 1,
    }
