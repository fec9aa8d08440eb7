"""Failures after a commit do not fail the request: the change is reported as done."""

from __future__ import annotations

import json
import logging
import sqlite3
import sys
from typing import TYPE_CHECKING, NoReturn

import pytest
from botocore.exceptions import NoRegionError

from chalicelib import errors
from chalicelib.service.removal import Removal
from chalicelib.stores.aws import sdk
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.aws.vector_store import IndexGoneError
from chalicelib.stores.database.base import Database
from chalicelib.stores.database.sqlite import SQLiteDatabase
from chalicelib.stores.face_set.face_listing import FaceListing
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.people import People
from chalicelib.telemetry import middleware
from chalicelib.telemetry.metrics import Metric
from chalicelib.vector_wiring import VectorWiring
from tests.examples import EMBEDDING_ID, known_face

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

# Errors that the code around a store raises on purpose, and unexpected ones.
FAILURES = [
    errors.StoreUnavailableError(),
    errors.internal_error(),
    IndexGoneError(),
    NoRegionError(),
    KeyError("vectors"),
    RuntimeError("cannot schedule new futures after shutdown"),
    OSError("too many open files"),
    MemoryError(),
]
any_failure = pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def failing(failure: Exception) -> object:
    def fail(*_: object, **__: object) -> NoReturn:
        raise failure

    return fail


@any_failure
def test_a_failing_vector_index_fails_no_change(
    database: Database, failure: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    face_set = FaceSet(database, changed=VectorWiring(database, "no-bucket").try_at_once)
    one, other = known_face(), known_face()
    with monkeypatch.context() as patch:
        patch.setattr(sdk, "client", failing(failure))

        assert face_set.add(one)
        assert face_set.add_many([other]) == 1
        assert face_set.remove(one.token) == one.crop

    assert face_set.get(other.token, EMBEDDING_ID) is not None
    assert caplog.text.count("left for the scheduled function") == 3


@on_sqlite
@any_failure
def test_a_crop_that_cannot_be_deleted_fails_no_removal(
    database: Database,
    dynamodb: DynamoDBClient,
    s3: S3Client,
    crops_bucket: str,
    failure: Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    crops, face_set = CropStore(s3, crops_bucket), FaceSet(database)
    tokens = TokenStore(dynamodb, crops_bucket, 100)
    removal = Removal(FaceListing(database), FaceSetNames(database), face_set, tokens, crops, People(database))
    face = known_face()
    face_set.add(face)
    monkeypatch.setattr(crops, "delete", failing(failure))

    removal.remove(face.token)

    assert face_set.count() == 0
    assert "could not be deleted; reconcile will" in caplog.text


@on_sqlite
def test_a_log_that_cannot_be_emptied_fails_no_removal(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    face_set, face = FaceSet(database), known_face()
    face_set.add(face)
    monkeypatch.setattr(SQLiteDatabase, "forget_deleted", failing(sqlite3.OperationalError("disk I/O error")))

    assert face_set.remove(face.token) == face.crop

    assert "may still be in the database's log" in caplog.text


def test_metrics_that_cannot_be_written_fail_no_request(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Closed:
        def write(self, _: str) -> NoReturn:
            raise BrokenPipeError

        def flush(self) -> None: ...

    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "function")
    caplog.set_level(logging.ERROR)
    monkeypatch.setattr(sys, "stdout", Closed())

    middleware._write([(Metric.FACES_FOUND, 1)], {"status": 200})
    middleware._write([(Metric.FACES_FOUND, json)], {})  # type: ignore[list-item]  # not a metric

    assert caplog.text.count("the metrics could not be written") == 2
