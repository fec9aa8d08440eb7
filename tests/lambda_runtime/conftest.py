"""A deployment that is packaged once, and its stores."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from infra.deploy.layers.errors import IndexUnreachableError
from tests.conftest import absent
from tests.lambda_runtime import stores
from tests.lambda_runtime.deployment import Deployment, deployed, own_target, supported

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    if not supported():
        pytest.skip("layers for Lambda do not run on this machine")
    try:
        with deployed(*own_target()) as deployment:
            yield deployment
    except IndexUnreachableError as error:
        absent(str(error))


@pytest.fixture(scope="class")
def environment(
    deployment: Deployment, dynamodb: DynamoDBClient, s3: S3Client, aws_endpoint: str, mysql_server: int
) -> Iterator[dict[str, str]]:
    """Yield the environment variables for stores that start empty for each test class."""
    with stores.stores(deployment, dynamodb, s3, aws_endpoint, mysql_server) as environment:
        yield environment
