"""With a database that pauses, /health and /detect leave it alone, and /info starts it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib import wiring
from chalicelib.stores.aws import change_marks
from chalicelib.stores.database import mysql
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.schema import migrate
from tests.e2e import pictures
from tests.e2e.lambda_api import handler
from tests.pausing_front import PausingFront
from tests.services import mysql_database

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def test_health_and_detect_leave_a_paused_database_alone_and_info_starts_it(
    tokens_table: str, crops_bucket: str, s3: S3Client, mysql_server: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mysql, "STARTING_TIMEOUT_SECONDS", 0.1)
    with mysql_database(mysql_server) as name, PausingFront(mysql_server) as front:
        migrate(connect(f"mysql://root@127.0.0.1:{mysql_server}/{name}"))
        with handler(tokens_table, crops_bucket, f"mysql://root@127.0.0.1:{front.port}/{name}?pauses=yes") as api:
            for path in ("/health", "/openapi.json", "/"):
                assert api.get(path).status == 200
            assert len(api.detect(pictures.astronaut())) == 1
            assert not front.called.is_set()

            starting = api.get("/info")

            assert (starting.status, starting.headers["retry-after"]) == (503, "15")
            assert starting.body["detail"].startswith("the database starts after an idle time")
            assert front.called.is_set()
            front.start()
            monkeypatch.undo()
            assert api.get("/info").status == 200


def test_an_addition_that_cannot_be_announced_leaves_no_crop(
    tokens_table: str, crops_bucket: str, s3: S3Client, mysql_server: int
) -> None:
    """A crop without a face would stay until something else changes, as nothing would start the reconciliation."""
    with mysql_database(mysql_server) as name:
        url = f"mysql://root@127.0.0.1:{mysql_server}/{name}?pauses=yes"
        migrate(connect(url))
        with handler(tokens_table, crops_bucket, url) as api:
            token = api.token(pictures.astronaut())
            before = s3.list_objects_v2(Bucket=crops_bucket, Prefix="faces/")["KeyCount"]
            wiring.wiring().reconciliation_marks = change_marks.for_reconciliation(lambda: s3, "no-such-bucket")

            refused = api.post("/addface", face_token=token, face_name="Ada")

            assert (refused.status, refused.body["error_code"]) == (500, "1003")
            assert s3.list_objects_v2(Bucket=crops_bucket, Prefix="faces/")["KeyCount"] == before
            assert api.get("/faces").body["faces"] == []
