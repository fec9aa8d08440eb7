"""What a client is told over HTTP when a store fails, and that all is well when it is back."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.e2e import pictures
from tests.e2e.api import Reply, tokens
from tests.e2e.cable import Cable
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack, local_stack
from tests.e2e.mysql_database import mysql_database
from tests.e2e.refusals import TOKEN


@dataclass
class Frail:
    """A service whose stores can be cut off from it."""

    api: HttpApi
    mysql: Cable
    dynamodb: Cable
    s3: Cable


@pytest.fixture(scope="module")
def frail(tmp_path_factory: pytest.TempPathFactory, mysql_server: int, aws_endpoint: str) -> Iterator[Frail]:
    aws_port = urlsplit(aws_endpoint).port or 0
    mysql, dynamodb, s3 = Cable(mysql_server), Cable(aws_port), Cable(aws_port)
    name = f"face-search-{secrets.token_hex(8)}"
    with (
        mysql_database(mysql_server) as database,
        local_stack(
            tmp_path_factory.mktemp("frail") / "state",
            DATABASE_URL=f"mysql://root@127.0.0.1:{mysql.port}/{database}",
            AWS_ENDPOINT_URL_DYNAMODB=f"http://127.0.0.1:{dynamodb.port}",
            AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{s3.port}",
            TOKENS_TABLE=name,
            CROPS_BUCKET=name,
        ) as stack,
    ):
        yield Frail(HttpApi(stack.port), mysql, dynamodb, s3)
    for cable in (mysql, dynamodb, s3):
        cable.unplug()


def assert_unreachable(reply: Reply) -> None:
    assert (reply.status, reply.headers.get("retry-after")) == (503, "2")
    assert reply.body == {
        "sucess": False,
        "success": False,
        "error_code": "1003",
        "error_msg": "INTERNAL_ERROR",
        "detail": "a store cannot be reached at the moment; try again",
    }


class TestStores:
    def test_without_mysql_faces_are_still_detected(self, frail: Frail) -> None:
        with frail.mysql.cut():
            assert len(frail.api.detect(pictures.drawing())) == 1
            assert frail.api.get("/health").status == 200

    def test_without_mysql_nothing_is_found_added_or_removed(self, frail: Frail) -> None:
        added, temporary = frail.api.added(pictures.drawing(), "Ada"), frail.api.token(pictures.drawing())

        with frail.mysql.cut():
            assert_unreachable(frail.api.get("/search", face_token=temporary, threshold="0.65"))
            assert_unreachable(frail.api.post("/search", image_file=pictures.drawing(), threshold="0.65"))
            assert_unreachable(frail.api.get("/addface", face_token=temporary))
            assert_unreachable(frail.api.get("/removeface", face_token=added))
            assert_unreachable(frail.api.get("/info"))

        assert tokens(frail.api.search(temporary)) == [added]
        frail.api.remove(added)

    def test_without_dynamodb_there_are_no_tokens(self, frail: Frail) -> None:
        added, temporary = frail.api.added(pictures.drawing(), "Ada"), frail.api.token(pictures.drawing())

        with frail.dynamodb.cut():
            assert_unreachable(frail.api.post("/detect", image_file=pictures.drawing()))
            assert_unreachable(frail.api.get("/addface", face_token=temporary))
            assert tokens(frail.api.search(added)) == []
            assert frail.api.post("/detect", image_file=pictures.cat()).status == 200

        frail.api.add(temporary)
        assert tokens(frail.api.search(added)) == [temporary]
        frail.api.remove(added)
        frail.api.remove(temporary)

    def test_without_s3_there_are_no_crops(self, frail: Frail) -> None:
        added, temporary = frail.api.added(pictures.drawing(), "Ada"), frail.api.token(pictures.drawing())

        with frail.s3.cut():
            assert_unreachable(frail.api.post("/detect", image_file=pictures.drawing()))
            assert_unreachable(frail.api.get("/addface", face_token=temporary))
            assert tokens(frail.api.search(temporary)) == [added]

        frail.api.add(temporary)
        assert tokens(frail.api.search(added)) == [temporary]
        frail.api.remove(added)
        frail.api.remove(temporary)

    def test_a_store_that_is_out_of_order(self, sqlite_stack: LocalStack, sqlite_api: HttpApi) -> None:
        with sqlite3.connect(sqlite_stack.state / "face_set.sqlite") as database:
            database.execute("ALTER TABLE face_set RENAME TO elsewhere")
        try:
            reply = sqlite_api.get("/search", face_token=TOKEN, threshold="0.65")
        finally:
            with sqlite3.connect(sqlite_stack.state / "face_set.sqlite") as database:
                database.execute("ALTER TABLE elsewhere RENAME TO face_set")

        assert reply.status == 500
        assert "retry-after" not in reply.headers
        assert reply.body == {
            "sucess": False,
            "success": False,
            "error_code": "1003",
            "error_msg": "INTERNAL_ERROR",
            "detail": "the server failed; the fault is logged under this request's id",
        }
