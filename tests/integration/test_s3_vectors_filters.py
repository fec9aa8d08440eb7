"""Metadata filters in the emulation of S3 Vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from infra.s3_vectors import filters
from infra.s3_vectors.refusals import ValidationRefusal
from tests.integration.vector_client import VectorIndex

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

FILMS: dict[str, dict[str, Any]] = {
    "old": {"genre": "drama", "year": 1950, "colour": False},
    "new": {"genre": ["comedy", "drama"], "year": 2020.5, "colour": True},
    "odd": {"genre": "comedy", "year": "2021", "colour": 1},
    "bare": {},
}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"genre": "drama"}, ["old", "new"]),
        ({"genre": {"$eq": "comedy"}}, ["new", "odd"]),
        ({"genre": {"$ne": "drama"}}, ["odd", "bare"]),
        ({"colour": True}, ["new"]),
        ({"colour": 1}, ["odd"]),
        ({"year": {"$gt": 1950}}, ["new"]),
        ({"year": {"$gte": 1950}}, ["old", "new"]),
        ({"year": {"$lt": 2020.5}}, ["old"]),
        ({"year": {"$lte": 2020.5}}, ["old", "new"]),
        ({"year": {"$gt": 1900, "$lt": 2000}}, ["old"]),
        ({"genre": {"$in": ["comedy", "horror"]}}, ["new", "odd"]),
        ({"genre": {"$nin": ["comedy", "horror"]}}, ["old", "bare"]),
        ({"year": {"$exists": True}}, ["old", "new", "odd"]),
        ({"year": {"$exists": False}}, ["bare"]),
        ({"genre": "drama", "colour": False}, ["old"]),
        ({"$and": [{"genre": "comedy"}, {"colour": True}]}, ["new"]),
        ({"$or": [{"year": 1950}, {"$and": [{"genre": "comedy"}, {"year": "2021"}]}]}, ["old", "odd"]),
    ],
    ids=str,
)
def test_metadata_that_pass_a_filter(document: dict[str, Any], expected: list[str]) -> None:
    passes = filters.parse(document)

    assert [name for name, film in FILMS.items() if passes(film)] == expected


@pytest.mark.parametrize(
    "document",
    [
        {},
        [],
        "drama",
        {"year": {}},
        {"year": {"$near": 1}},
        {"year": {"$gt": "1950"}},
        {"year": {"$gt": True}},
        {"year": {"$eq": [1]}},
        {"year": None},
        {"genre": {"$in": []}},
        {"genre": {"$in": "drama"}},
        {"genre": {"$exists": 1}},
        {"$not": [{"year": 1}]},
        {"$and": []},
        {"$or": [{}]},
        {"secret": 1},
    ],
    ids=str,
)
def test_invalid_filters_are_refused(document: Any) -> None:
    with pytest.raises(ValidationRefusal):
        filters.parse(document, {"secret"})


def test_a_query_searches_only_vectors_that_pass_its_filter(s3_vectors: S3VectorsClient) -> None:
    index = VectorIndex(s3_vectors, 1)
    index.put(range(300), np.arange(300, dtype=np.float32)[:, None], [{"set": i % 3} for i in range(300)])
    probe = np.zeros(1, np.float32)

    assert [int(v["key"]) for v in index.query(probe, 120, filter={"set": 1})] == list(range(1, 300, 3))
    assert [int(v["key"]) for v in index.query(probe, 2, filter={"set": {"$eq": 2}})] == [2, 5]
    assert index.query(probe, 5, filter={"set": 9}) == []

    index.put([1], np.zeros((1, 1), np.float32), [{"set": 9}])
    assert [v["key"] for v in index.query(probe, 5, filter={"set": 9})] == ["1"]
