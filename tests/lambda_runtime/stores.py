"""Stores for the containers of one deployment, empty at first."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infra.local import resources
from tests.conftest import RESOURCES_FILE
from tests.e2e.local_stack import PATIENCE_SECONDS
from tests.lambda_runtime.container import Container
from tests.lambda_runtime.deployment import Deployment
from tests.services import mysql_database

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@contextmanager
def stores(
    deployed: Deployment,
    dynamodb: DynamoDBClient,
    s3: S3Client,
    endpoint: str,
    mysql_port: int,
    **limits: Any,
) -> Iterator[dict[str, str]]:
    """Yield the variables for a table, a bucket and a database, which the function `migrate` migrates.

    `limits` apply to the container of `migrate`.
    """
    name = f"face-search-{secrets.token_hex(8)}"
    resources.create(RESOURCES_FILE, dynamodb, s3, table_name=name, bucket_name=name)
    with mysql_database(mysql_port) as database:
        environment = {
            "AWS_ENDPOINT_URL": endpoint,
            "CROPS_BUCKET": name,
            "REQUEST_SECONDS": PATIENCE_SECONDS,
            "SEGMENTS": "s3",
            "DATABASE_URL": f"mysql://root@127.0.0.1:{mysql_port}/{database}",
            "NO_PROXY": "127.0.0.1",
            "TOKENS_TABLE": name,
        }
        with Container(deployed, "app.migrate", environment, **limits) as migrate:
            migrate.invoke({})
        yield environment
