"""A client of S3 Vectors without retries, an index for it, and the errors it receives."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import botocore.session
import numpy as np
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from numpy.typing import NDArray

from infra.s3_vectors.emulation import emulation

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


def new_client(**config: Any) -> S3VectorsClient:
    settings = Config(retries={"mode": "standard", "total_max_attempts": 1}, **config)
    client: Any = botocore.session.get_session().create_client("s3vectors", config=settings)
    return client  # type: ignore[no-any-return]


class VectorIndex:
    """An index in its own bucket. `at` holds the arguments that name the index."""

    def __init__(self, client: Any, dimension: int, metric: str = "euclidean", **more: Any) -> None:
        # Untyped, because the type checker would reject the requests that must be refused.
        self.client = client
        self.at = {"vectorBucketName": f"bucket-{secrets.token_hex(8)}", "indexName": "faces"}
        client.create_vector_bucket(vectorBucketName=self.at["vectorBucketName"])
        self.arn: str = self.client.create_index(
            **self.at, dataType="float32", dimension=dimension, distanceMetric=metric, **more
        )["indexArn"]

    def put(
        self, keys: Sequence[object], vectors: NDArray[np.float32], metadata: Sequence[dict[str, Any]] | None = None
    ) -> None:
        given: list[dict[str, Any]] = [
            {"key": str(key), "data": {"float32": vector.tolist()}} for key, vector in zip(keys, vectors, strict=True)
        ]
        for vector, about in zip(given, metadata or [], strict=False):
            vector["metadata"] = about
        for start in range(0, len(given), 500):
            self.client.put_vectors(**self.at, vectors=given[start : start + 500])

    def query(self, probe: NDArray[np.float32], most: int, **more: Any) -> list[dict[str, Any]]:
        """Return the results from all pages."""
        pages = self.client.get_paginator("query_vectors").paginate(
            **self.at, queryVector={"float32": probe.tolist()}, topK=most, **more
        )
        return [vector for page in pages for vector in page["vectors"]]

    def keys(self, **more: Any) -> list[str]:
        """Return all keys from all pages of ListVectors."""
        pages = self.client.get_paginator("list_vectors").paginate(**self.at, **more)
        return [vector["key"] for page in pages for vector in page["vectors"]]


@contextmanager
def refused(code: str = "ValidationException", status: int = 400) -> Iterator[None]:
    """Expect this error from the service. A ValidationException must also be recorded as the client's fault."""
    with pytest.raises(ClientError) as caught:
        yield
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert bool(emulation.take_violations()) is (code == "ValidationException")
