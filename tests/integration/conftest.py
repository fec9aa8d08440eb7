"""Fixtures: a table for trying transactions, networks loaded once, and clients of S3 Vectors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from chalicelib.stores.aws.segment_objects import SegmentObjects
from chalicelib.stores.database import mysql, pool, sqlite
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.connect import connect
from chalicelib.vision.model_pack import ModelPack, Network
from tests.integration.vector_client import new_client
from tests.integration.vector_faces import VectorFaces

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3vectors import S3VectorsClient

INSERT = "INSERT INTO note (id, text) VALUES (?, ?)"


@pytest.fixture(scope="package", autouse=True)
def _networks_loaded_once() -> Iterator[None]:
    """Load and compare a network once for all tests, because it keeps no state between calls."""
    load, kept = ModelPack.network, dict[tuple[Path, int], Network]()

    def network(pack: ModelPack, file: str) -> Network:
        path = pack.folder / file
        if not path.exists():
            return load(pack, file)
        is_now = path.resolve(), path.stat().st_mtime_ns
        if is_now not in kept:
            kept[is_now] = load(pack, file)
        return kept[is_now]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ModelPack, "network", network)
        yield


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise the time limits from seconds to what many concurrent clients need on a busy machine."""
    monkeypatch.setattr(pool, "MAX_WAIT_SECONDS", 100.0)
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_SECONDS", 100.0)
    for name in ("LOCK_TIMEOUT_SECONDS", "MIGRATION_LOCK_TIMEOUT_SECONDS"):
        monkeypatch.setattr(mysql, name, 100)
    for name in ("READ_TIMEOUT_SECONDS", "WRITE_TIMEOUT_SECONDS"):
        monkeypatch.setattr(mysql, name, 120)


@pytest.fixture
def notes(database_url: str) -> Database:
    """A database with the empty table `note`, once for each dialect."""
    database = connect(database_url)
    database.write(
        lambda transaction: transaction.execute("CREATE TABLE note (id INTEGER PRIMARY KEY, text VARCHAR(9) NOT NULL)")
    )
    return database


def texts(database: Database) -> list[str]:
    return [row[0] for row in database.read("SELECT text FROM note ORDER BY id")]


@pytest.fixture
def objects(s3: S3Client, crops_bucket: str) -> SegmentObjects:
    """An empty store of segments' bytes."""
    return SegmentObjects(lambda: s3, crops_bucket)


@pytest.fixture(scope="session")
def s3_vectors(aws_endpoint: str) -> S3VectorsClient:
    return new_client()


@pytest.fixture(scope="session")
def unchecked(aws_endpoint: str) -> S3VectorsClient:
    """A client that sends any parameters, without validating them."""
    return new_client(parameter_validation=False)


@pytest.fixture
def faces(database: Database, s3_vectors: S3VectorsClient) -> VectorFaces:
    """A face set with an empty vector index. Tests of other galleries have their own `faces`."""
    faces = VectorFaces(database, s3_vectors)
    faces.build()
    return faces
