"""Deletes the vector buckets that a stack leaves, because CloudFormation cannot delete buckets with indexes."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient

TYPE = "AWS::S3Vectors::VectorBucket"


def delete(client: S3VectorsClient, resource: str) -> str:
    """Delete a bucket with all its indexes, and return its name. A missing bucket or index is ignored.

    No data is lost: the database rows have every vector, and `rebuild_index` fills a new index from them.

    Parameters
    ----------
    resource
        The bucket's id in CloudFormation, which is its ARN or its name.
    """
    name = resource.rpartition("/")[2]
    with suppress(client.exceptions.NotFoundException):
        for page in client.get_paginator("list_indexes").paginate(vectorBucketName=name):
            for index in page["indexes"]:
                client.delete_index(vectorBucketName=name, indexName=index["indexName"])
        client.delete_vector_bucket(vectorBucketName=name)
    return name
