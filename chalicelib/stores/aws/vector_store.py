"""Stores vectors in Amazon S3 Vectors: one bucket, any number of indexes. A vector's key is its face's id.

The limits are from:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/s3-vectors-limitations.html
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from chalicelib.errors import ServiceError, StoreFailedError, StoreUnavailableError
from chalicelib.faces import Embedding
from chalicelib.stores.aws.sdk import faults_translated
from chalicelib.stores.aws.token_bucket import TokenBucket
from chalicelib.stores.backoff import backoff_seconds

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

# Per request.
MAX_VECTORS_WRITTEN = 500
MAX_VECTORS_READ = 100
MAX_VECTORS_LISTED = 1_000
MAX_LISTINGS = 16
# Per query, over all its pages.
MAX_RESULTS = 10_000
# Per index: vectors put and vectors deleted, added together.
MAX_VECTORS_PER_SECOND = 2_500

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0

_log = logging.getLogger(__name__)

T = TypeVar("T")


class IndexGoneError(Exception):
    """The index does not exist: it was replaced and deleted."""


class StoredVector(NamedTuple):
    """A face's vector, and the number of its face set."""

    face_id: int
    embedding: Embedding
    set_id: int


class VectorStore:
    """The indexes of one vector bucket.

    Every method is safe to repeat. Methods raise ServiceError: 503 when the service cannot be reached or throttles for
    longer than `patience_seconds`, 500 when it refuses. Methods that need the index raise IndexGoneError without it.

    Parameters
    ----------
    client
        An S3 Vectors client that does not retry by itself.
    patience_seconds
        How long temporary failures are retried; 0 for a single attempt.
    clock
        Returns seconds from any starting point.
    sleep
        Waits for the given number of seconds.
    """

    def __init__(
        self,
        client: S3VectorsClient,
        bucket: str,
        patience_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._patience = patience_seconds
        self._clock = clock
        self._sleep = sleep
        self._rate = TokenBucket(MAX_VECTORS_PER_SECOND, clock, sleep)

    def create(self, index: str, dimension: int) -> None:
        """Create an index with Euclidean distances unless it exists."""

        def call() -> None:
            try:
                self._client.create_index(
                    vectorBucketName=self._bucket,
                    indexName=index,
                    dataType="float32",
                    dimension=dimension,
                    distanceMetric="euclidean",
                )
            except self._client.exceptions.ConflictException:
                return
            except self._client.exceptions.NotFoundException:
                _log.error("there is no vector bucket %s", self._bucket)
                raise StoreFailedError() from None

        self._patiently(call)

    def delete_index(self, index: str) -> None:
        """Delete an index and its vectors; do nothing when there is no such index."""

        def call() -> None:
            try:
                self._client.delete_index(vectorBucketName=self._bucket, indexName=index)
            except self._client.exceptions.NotFoundException:
                return

        self._patiently(call)

    def put(self, index: str, vectors: Sequence[StoredVector]) -> None:
        """Write at most MAX_VECTORS_WRITTEN vectors, at the service's rate. After a failure some may be written."""
        written: Any = [
            {
                "key": str(vector.face_id),
                "data": {"float32": vector.embedding.astype(np.float64).tolist()},
                "metadata": {"set": vector.set_id},
            }
            for vector in vectors
        ]
        self._rate.take(len(written))
        self._patiently(
            lambda: self._client.put_vectors(vectorBucketName=self._bucket, indexName=index, vectors=written)
        )

    def delete(self, index: str, face_ids: Sequence[int]) -> None:
        """Erase at most MAX_VECTORS_WRITTEN vectors, at the service's rate. Missing vectors are ignored."""
        keys = [str(face_id) for face_id in face_ids]
        self._rate.take(len(keys))
        self._patiently(lambda: self._client.delete_vectors(vectorBucketName=self._bucket, indexName=index, keys=keys))

    def get(self, index: str, face_ids: Sequence[int]) -> list[StoredVector]:
        """Return the existing ones of at most MAX_VECTORS_READ vectors."""
        keys = [str(face_id) for face_id in face_ids]
        reply = self._patiently(
            lambda: self._client.get_vectors(
                vectorBucketName=self._bucket, indexName=index, keys=keys, returnData=True, returnMetadata=True
            )
        )
        return [_stored(vector) for vector in reply["vectors"]]

    def listed(self, index: str, part: int, parts: int) -> Iterator[list[StoredVector]]:
        """Yield the vectors of one part of an index, page by page, in no particular order.

        An index may be listed in at most MAX_LISTINGS parts; `part` counts from 0.
        """
        request = {
            "vectorBucketName": self._bucket,
            "indexName": index,
            "maxResults": MAX_VECTORS_LISTED,
            "segmentCount": parts,
            "segmentIndex": part,
            "returnData": True,
            "returnMetadata": True,
        }
        for reply in self._pages(self._client.list_vectors, request):
            yield [_stored(vector) for vector in reply["vectors"]]

    def nearest(self, index: str, probe: Embedding, most: int, set_id: int) -> Iterator[list[tuple[int, float]]]:
        """Yield the ids of a face set's nearest vectors and the distances that the service reports, page by page.

        The search is approximate and may miss vectors. All pages together hold at most `most` vectors, or MAX_RESULTS
        if that is lower.
        """
        request = {
            "vectorBucketName": self._bucket,
            "indexName": index,
            "queryVector": {"float32": probe.astype(np.float64).tolist()},
            "topK": min(most, MAX_RESULTS),
            "filter": {"set": {"$eq": set_id}},
            "returnDistance": True,
        }
        for reply in self._pages(self._client.query_vectors, request):
            yield [(int(vector["key"]), float(vector["distance"])) for vector in reply["vectors"]]

    def _pages(self, call: Callable[..., Any], request: Mapping[str, Any]) -> Iterator[Any]:
        """Yield the replies to a request; fetch each page only when it is needed."""
        after: dict[str, str] = {}
        while True:
            reply = self._patiently(partial(call, **request, **after))
            yield reply
            if not reply.get("nextToken"):
                return
            after = {"nextToken": reply["nextToken"]}

    def _patiently(self, call: Callable[[], T]) -> T:
        """Retry temporary failures, after random and growing waits, for up to `patience_seconds`."""
        end = self._clock() + self._patience
        attempt = 0
        while True:
            attempt += 1
            try:
                with faults_translated():
                    return self._call(call)
            except ServiceError as error:
                wait = backoff_seconds(attempt, first=FIRST_BACKOFF_SECONDS, longest=LONGEST_BACKOFF_SECONDS)
                if not isinstance(error, StoreUnavailableError) or self._clock() + wait >= end:
                    raise
                self._sleep(wait)

    def _call(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except self._client.exceptions.NotFoundException:
            raise IndexGoneError from None


def _stored(vector: Any) -> StoredVector:
    embedding = np.array(vector["data"]["float32"], np.float32)
    return StoredVector(int(vector["key"]), embedding, int(vector.get("metadata", {}).get("set", 0)))
