"""Lists and deletes objects of a bucket, many in one request."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from chalicelib.stores.aws.sdk import faults_translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectTypeDef

# S3's limits.
OBJECTS_PER_PAGE = 1_000
MAX_DELETIONS_PER_REQUEST = 1_000

_log = logging.getLogger(__name__)


def pages(
    client: S3Client, bucket: str, prefix: str, page_objects: int = OBJECTS_PER_PAGE
) -> Iterator[list[ObjectTypeDef]]:
    """Yield the objects with keys that start with `prefix`, page by page, sorted by key."""
    after: dict[str, Any] = {}
    while True:
        with faults_translated():
            reply = client.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=page_objects, **after)
        yield reply.get("Contents", [])
        if not reply["IsTruncated"]:
            return
        after = {"ContinuationToken": reply["NextContinuationToken"]}


def delete(client: S3Client, bucket: str, keys: Sequence[str]) -> int:
    """Delete at most MAX_DELETIONS_PER_REQUEST objects in one request; return how many could not be deleted."""
    with faults_translated():
        reply = client.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key} for key in keys], "Quiet": True})
    failures = reply.get("Errors", [])
    if failures:
        codes = sorted({failure.get("Code", "unknown") for failure in failures})
        _log.warning("%d objects could not be deleted: %s", len(failures), ", ".join(codes))
    return len(failures)
