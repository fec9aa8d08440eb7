"""Fixtures: running services, and clients with an empty face set."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from chalicelib.telemetry import logs
from tests.e2e.http_api import HttpApi
from tests.e2e.lambda_api import LambdaApi, lasting_handler
from tests.e2e.local_stack import LocalStack
from tests.e2e.observed_lambda import FUNCTION, TRACE
from tests.services import mysql_database

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Use the gallery in memory regardless of the environment, for behaviour that only it has."""
    monkeypatch.setenv("GALLERY", "memory")


@pytest.fixture
def sqlite_api(sqlite_stack: LocalStack) -> Iterator[HttpApi]:
    yield from _client(sqlite_stack)


@pytest.fixture
def mysql_api(mysql_stack: LocalStack) -> Iterator[HttpApi]:
    yield from _client(mysql_stack)


@pytest.fixture(scope="module")
def observed_handler(dynamodb: DynamoDBClient, s3: S3Client, mysql_server: int) -> Iterator[LambdaApi]:
    """The handler, with its own stores."""
    with (
        mysql_database(mysql_server) as database,
        lasting_handler(dynamodb, s3, f"mysql://root@127.0.0.1:{mysql_server}/{database}") as api,
    ):
        yield api


@pytest.fixture
def on_lambda(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Sets a function's environment variables; `capsys` reads its standard output."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", FUNCTION)
    monkeypatch.setenv("_X_AMZN_TRACE_ID", f"Root={TRACE};Parent=53995c3f42cd8ad8;Sampled=1")
    # moto's server runs in this process.
    monkeypatch.setattr(logging.getLogger("werkzeug"), "propagate", False)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure()
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def observed_api(
    observed_handler: LambdaApi, on_lambda: None, capsys: pytest.CaptureFixture[str]
) -> Iterator[LambdaApi]:
    with observed_handler.on_an_empty_face_set():
        capsys.readouterr()
        yield observed_handler


def _client(stack: LocalStack) -> Iterator[HttpApi]:
    client = HttpApi(stack.port)
    with client.on_an_empty_face_set():
        yield client
    client.session.close()
