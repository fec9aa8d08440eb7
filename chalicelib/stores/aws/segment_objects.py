"""Stores the bytes of packed segments in S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from chalicelib import deadline
from chalicelib.stores.aws import s3_objects
from chalicelib.stores.aws.s3_objects import MAX_DELETIONS_PER_REQUEST
from chalicelib.stores.aws.sdk import faults_translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Read between two looks at the request's deadline.
CHUNK_BYTES = 1 << 18

_PREFIX = "segments/"


class StoredBytes(NamedTuple):
    """An object's name, its size in bytes, and the time it was stored, in seconds since 1970."""

    name: str
    size: int
    modified_at: float


class SegmentObjects:
    """Immutable objects by name, under a prefix of the crops' bucket.

    Every method raises ServiceError: 503 when S3 cannot be reached or throttles, 500 when S3 refuses. The caller's role
    needs s3:ListBucket; without it S3 answers 403 instead of 404 for a missing object.

    Parameters
    ----------
    client
        Returns an S3 client; called when one is first needed.
    """

    def __init__(self, client: Callable[[], S3Client], bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, name: str, data: bytes) -> None:
        with faults_translated():
            self._client().put_object(Bucket=self._bucket, Key=_PREFIX + name, Body=data)

    def read(self, name: str, size: int) -> memoryview | None:
        """Return an object's bytes; None when it is missing or has another size."""
        client = self._client()
        data, filled = memoryview(bytearray(size)), 0
        with faults_translated():
            try:
                reply = client.get_object(Bucket=self._bucket, Key=_PREFIX + name)
            except client.exceptions.NoSuchKey:
                return None
            with closing(reply["Body"]) as body:
                if reply["ContentLength"] != size:
                    return None
                while filled < size:
                    deadline.check()
                    # Never empty before the end: the SDK raises an error for a reply that is cut off.
                    chunk = body.read(CHUNK_BYTES)
                    data[filled : filled + len(chunk)] = chunk
                    filled += len(chunk)
        return data

    def listed(self) -> Iterator[StoredBytes]:
        """Yield all objects."""
        for page in s3_objects.pages(self._client(), self._bucket, _PREFIX):
            for item in page:
                yield StoredBytes(item["Key"].removeprefix(_PREFIX), item["Size"], item["LastModified"].timestamp())

    def delete(self, names: Sequence[str]) -> None:
        """Delete objects. Those that S3 fails to delete stay; a warning in the log counts them."""
        for start in range(0, len(names), MAX_DELETIONS_PER_REQUEST):
            batch = names[start : start + MAX_DELETIONS_PER_REQUEST]
            s3_objects.delete(self._client(), self._bucket, [_PREFIX + name for name in batch])
