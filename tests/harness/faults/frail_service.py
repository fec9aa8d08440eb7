"""A running service with stores that can fail in every way."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.stores.aws import sdk
from infra.local import resources
from tests.e2e.cable import Cable
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack, local_stack
from tests.harness.faults.bad_line import BadLine
from tests.harness.faults.faulty_aws import FaultyAws
from tests.harness.faults.invariants import Stores
from tests.harness.faults.mysql_server import MySQLServer, mysql_server

RESOURCES_FILE = resources.FILE
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "NO_PROXY": "127.0.0.1",
}


@dataclass
class FrailService:
    """A service and its stores. `line` leads to the server `mysql`; `dynamodb` and `s3` are cables to `aws`."""

    stack: LocalStack
    mysql: MySQLServer
    line: BadLine
    aws: FaultyAws
    dynamodb: Cable
    s3: Cable
    stores: Stores

    def client(self) -> HttpApi:
        return HttpApi(self.stack.port)


@contextmanager
def stores_behind(faulty: FaultyAws, url: str) -> Iterator[Stores]:
    """Point this process to its own AWS, and yield the empty stores."""
    name = f"face-search-{secrets.token_hex(8)}"
    before = dict(os.environ)
    os.environ.update(ENVIRONMENT, AWS_ENDPOINT_URL=faulty.url)
    try:
        stores = Stores(url, sdk.client("dynamodb"), sdk.client("s3"), name)
        resources.create(RESOURCES_FILE, stores.dynamodb, stores.s3, table_name=name, bucket_name=name)
        yield stores
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def frail_service() -> Iterator[FrailService]:
    with ExitStack() as ended:
        faulty = FaultyAws()
        ended.callback(faulty.stop)
        server = ended.enter_context(mysql_server())
        line, dynamodb, s3 = BadLine(server.port), Cable(faulty.port), Cable(faulty.port)
        for cable in (line, dynamodb, s3):
            ended.callback(cable.unplug)
        stores = ended.enter_context(stores_behind(faulty, server.url()))
        folder = ended.enter_context(TemporaryDirectory(prefix="face-search-faults-"))
        stack = ended.enter_context(
            local_stack(
                Path(folder) / "state",
                DATABASE_URL=server.url(line.port),
                AWS_ENDPOINT_URL_DYNAMODB=f"http://127.0.0.1:{dynamodb.port}",
                AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{s3.port}",
                TOKENS_TABLE=stores.name,
                CROPS_BUCKET=stores.name,
                REQUEST_SECONDS="24",
            )
        )
        yield FrailService(stack, server, line, faulty, dynamodb, s3, stores)
