"""ListVectors, GetVectors and ListIndexes in the emulation of S3 Vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.integration.vector_client import VectorIndex, refused

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


@pytest.fixture(scope="module")
def numbers(s3_vectors: S3VectorsClient) -> VectorIndex:
    """Put 1,201 vectors of one number, which is also the key, with its remainder by 3 as metadata."""
    index = VectorIndex(s3_vectors, 1)
    index.put(range(1_201), np.arange(1_201, dtype=np.float32)[:, None], [{"set": i % 3} for i in range(1_201)])
    return index


def test_a_page_has_500_vectors_by_default(numbers: VectorIndex) -> None:
    sizes = []
    for settings in ({}, {"maxResults": 1_000}, {"maxResults": 7}):
        page = numbers.client.list_vectors(**numbers.at, **settings)
        sizes.append(len(page["vectors"]))
        assert page["nextToken"]

    assert sizes == [500, 1_000, 7]


@pytest.mark.parametrize("segments", [1, 2, 5, 16])
def test_the_segments_are_disjoint_and_together_complete(numbers: VectorIndex, segments: int) -> None:
    parts = [
        numbers.keys(segmentCount=segments, segmentIndex=i, PaginationConfig={"PageSize": 100}) for i in range(segments)
    ]

    assert sorted(int(key) for part in parts for key in part) == list(range(1_201))
    assert min(map(len, parts)) > 1_201 / segments / 2


def test_a_listing_returns_the_requested_fields(numbers: VectorIndex) -> None:
    [bare] = numbers.client.list_vectors(**numbers.at, maxResults=1)["vectors"]
    [full] = numbers.client.list_vectors(**numbers.at, maxResults=1, returnData=True, returnMetadata=True)["vectors"]

    assert bare == {"key": "0"}
    assert full == {"key": "0", "data": {"float32": [0.0]}, "metadata": {"set": 0}}


def test_writes_between_two_pages_hide_no_lasting_vector(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1)
    index.put(range(3_000), np.zeros((3_000, 1), np.float32))
    first = index.client.list_vectors(**index.at, maxResults=1_000)

    for start in range(0, 2_000, 500):
        index.client.delete_vectors(**index.at, keys=[str(key) for key in range(start, start + 500)])
    index.put(["2500", "new"], np.ones((2, 1), np.float32))

    rest = index.keys(PaginationConfig={"StartingToken": first["nextToken"]})
    assert [*map(str, range(2_000, 3_000)), "new"] == rest


def test_a_page_ends_after_a_mebibyte(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 4_096)
    index.put(range(66), np.zeros((66, 4_096), np.float32))

    assert len(index.client.list_vectors(**index.at)["vectors"]) == 64
    assert len(index.keys()) == 66


def test_get_returns_existing_vectors_as_they_were_put(numbers: VectorIndex) -> None:
    got = numbers.client.get_vectors(**numbers.at, keys=["9", "4", "x", "9"], returnData=True, returnMetadata=True)

    assert sorted(got["vectors"], key=lambda vector: str(vector["key"])) == [
        {"key": "4", "data": {"float32": [4.0]}, "metadata": {"set": 1}},
        {"key": "9", "data": {"float32": [9.0]}, "metadata": {"set": 0}},
    ]


def test_values_are_stored_as_float32(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1)
    index.client.put_vectors(**index.at, vectors=[{"key": "third", "data": {"float32": [1 / 3]}}])

    [vector] = index.client.get_vectors(**index.at, keys=["third"], returnData=True)["vectors"]
    assert vector["data"]["float32"] == [float(np.float32(1 / 3))]


@pytest.mark.parametrize(
    "wrong", [{"segmentCount": 2}, {"segmentIndex": 0}, {"segmentCount": 2, "segmentIndex": 2}, {"nextToken": "x"}]
)
def test_invalid_listings_are_refused(numbers: VectorIndex, wrong: dict[str, Any]) -> None:
    with refused():
        numbers.client.list_vectors(**numbers.at, **wrong)


def test_indexes_are_listed_by_prefix_and_pages(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1)
    bucket = index.at["vectorBucketName"]
    for name in ("faces-c", "faces-a", "other", "faces-b"):
        index.client.create_index(
            vectorBucketName=bucket, indexName=name, dataType="float32", dimension=1, distanceMetric="euclidean"
        )

    pages = list(
        index.client.get_paginator("list_indexes").paginate(
            vectorBucketName=bucket, prefix="faces-", PaginationConfig={"PageSize": 2}
        )
    )

    assert [[each["indexName"] for each in page["indexes"]] for page in pages] == [["faces-a", "faces-b"], ["faces-c"]]
    assert index.client.get_index(indexArn=index.arn)["index"]["creationTime"].year >= 2026
