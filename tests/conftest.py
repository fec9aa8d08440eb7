"""Shared fixtures: real services, and stores that are empty at the start of every test."""

from __future__ import annotations

import fcntl
import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import HealthCheck, settings

from chalicelib.stores.aws import sdk
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.schema import migrate
from chalicelib.vision.model_pack import ModelPack
from infra.local import moto_server, resources
from infra.s3_vectors.emulation import emulation
from models.build import BUILD
from tests import long_tests
from tests.counts import assert_counts_are_right
from tests.e2e.local_stack import LocalStack, local_stack
from tests.models import facenet_weights, torch_files
from tests.packs import build_with, dlib_pack
from tests.services import mysql_database, mysql_port

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

RESOURCES_FILE = resources.FILE

# On a busy machine no example counts as too slow.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    long_tests.mark(items)
    if config.args == ["tests"] and (unused := long_tests.unused([item.nodeid for item in items])):
        raise pytest.UsageError(f"tests/long_tests.py names tests that do not exist: {', '.join(unused)}")


@pytest.fixture(scope="session", autouse=True)
def _pack_built_by_one() -> None:
    """Build the dlib pack once, if possible, because concurrent test processes would build it in the same folder."""
    BUILD.mkdir(parents=True, exist_ok=True)
    lock = os.open(BUILD, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with suppress(Exception):  # the tests that need the pack report the error
        dlib_pack()
    os.close(lock)


@pytest.fixture(scope="session")
def aws_endpoint() -> Iterator[str]:
    """Yield the URL of moto's server. The environment directs all AWS clients to it."""
    server = moto_server.start(0)
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setenv("NO_PROXY", "127.0.0.1")
        yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def sound_vector_requests() -> Iterator[None]:
    """Fail the test if it sent moto's S3 Vectors a request that the service's model or limits forbid."""
    yield
    assert emulation.take_violations() == []


@pytest.fixture(scope="session")
def dynamodb(aws_endpoint: str) -> DynamoDBClient:
    return sdk.client("dynamodb")


@pytest.fixture(scope="session")
def s3(aws_endpoint: str) -> S3Client:
    return sdk.client("s3")


@pytest.fixture
def tokens_table(dynamodb: DynamoDBClient, s3: S3Client) -> str:
    """Return the name of an empty table of tokens."""
    return _create_resources(dynamodb, s3)


@pytest.fixture
def crops_bucket(dynamodb: DynamoDBClient, s3: S3Client) -> str:
    """Return the name of an empty bucket of crops."""
    return _create_resources(dynamodb, s3)


@pytest.fixture(scope="session")
def mysql_server() -> Iterator[int]:
    """Yield the port of a MySQL server on this machine with a root user that has no password."""
    with mysql_port() as port:
        if port is None:
            absent("there is no MySQL server on 127.0.0.1:3306, and no mariadbd or mysqld to start one")
        yield port


@pytest.fixture(scope="session")
def sqlite_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStack]:
    """`make run`, with the face set in SQLite."""
    with local_stack(tmp_path_factory.mktemp("sqlite") / "state") as stack:
        yield stack


@pytest.fixture(scope="session")
def mysql_stack(tmp_path_factory: pytest.TempPathFactory, mysql_server: int) -> Iterator[LocalStack]:
    """`make run`, with the face set in a database of a MySQL server and packed segments in S3, as when deployed."""
    with mysql_database(mysql_server) as database:
        url = f"mysql://root@127.0.0.1:{mysql_server}/{database}"
        with local_stack(tmp_path_factory.mktemp("mysql") / "state", DATABASE_URL=url, SEGMENTS="s3") as stack:
            yield stack


@pytest.fixture(scope="session")
def facenet_pack(tmp_path_factory: pytest.TempPathFactory) -> ModelPack:
    """Return the facenet pack with substitutes for its trained weights."""
    folder = tmp_path_factory.mktemp("facenet")
    checkpoint = folder / "checkpoint.pt"
    checkpoint.write_bytes(torch_files.older_form(facenet_weights.recorded_weights()))
    return build_with("facenet", folder, embedder=checkpoint)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Restore Ctrl-C and SIGHUP. Processes that a shell starts in the background, and their children, ignore Ctrl-C."""
    interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)
    hung_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGINT, interrupted)
    signal.signal(signal.SIGHUP, hung_up)


@pytest.fixture(params=["sqlite", "mysql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yield the URL of an empty database, once for each dialect."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'face_set.sqlite'}"
        return
    port = request.getfixturevalue("mysql_server")
    with mysql_database(port) as name:
        yield f"mysql://root@127.0.0.1:{port}/{name}"


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Yield a database with the newest schema and no faces, once per dialect. Check its face counts at the end."""
    database = connect(database_url)
    migrate(database)
    yield database
    assert_counts_are_right(database)
    database.close()


def absent(what: str) -> NoReturn:
    """Skip the test. In CI, which must have everything, fail it."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def _create_resources(dynamodb: DynamoDBClient, s3: S3Client) -> str:
    name = f"face-search-{secrets.token_hex(8)}"
    resources.create(RESOURCES_FILE, dynamodb, s3, table_name=name, bucket_name=name)
    return name
