"""The contract's tests with API Gateway's events on Lambda, and the exact fields of each reply."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

import app
from chalicelib import wiring
from chalicelib.maintenance import operations
from chalicelib.stores.database.base import Database
from chalicelib.vision.model_pack import ModelPack
from infra.s3_vectors.emulation import emulation
from models.build import CURRENT
from tests.e2e import pictures
from tests.e2e.api import Api, tokens
from tests.e2e.carriers import Carriers
from tests.e2e.comparing import Comparing
from tests.e2e.face_management import Listing, OneFace
from tests.e2e.face_sets import FaceSets, Grouping
from tests.e2e.gallery_setting import on_s3_vectors
from tests.e2e.grouped import Groups
from tests.e2e.identifying import Identifying, SimilarPeople
from tests.e2e.lambda_api import LambdaApi, context, handler, lasting_handler
from tests.e2e.person_management import People
from tests.e2e.plain_requests import PlainRequests
from tests.e2e.refusals import INTERNAL, UNREACHABLE, Refusals, assert_refused
from tests.e2e.shape import shape
from tests.e2e.walk import Walk
from tests.services import free_port, mysql_database

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CROP_NAME = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.jpg")


@pytest.fixture
def api(tokens_table: str, crops_bucket: str, database: Database, database_url: str) -> Iterator[LambdaApi]:
    """The handler, with empty stores."""
    with handler(tokens_table, crops_bucket, database_url) as api:
        operations.migrate(wiring.wiring())
        yield api


@pytest.fixture(scope="class")
def sqlite_handler(
    dynamodb: DynamoDBClient, s3: S3Client, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LambdaApi]:
    file = tmp_path_factory.mktemp("lambda") / "face_set.sqlite"
    with lasting_handler(dynamodb, s3, f"sqlite:///{file}") as api:
        yield api


@pytest.fixture(scope="class")
def mysql_handler(dynamodb: DynamoDBClient, s3: S3Client, mysql_server: int) -> Iterator[LambdaApi]:
    with (
        mysql_database(mysql_server) as database,
        lasting_handler(dynamodb, s3, f"mysql://root@127.0.0.1:{mysql_server}/{database}") as api,
    ):
        yield api


@pytest.fixture(scope="class")
def vectors_handler(dynamodb: DynamoDBClient, s3: S3Client, mysql_server: int) -> Iterator[LambdaApi]:
    """Searches use S3 Vectors."""
    with (
        mysql_database(mysql_server) as database,
        lasting_handler(dynamodb, s3, f"mysql://root@127.0.0.1:{mysql_server}/{database}", "s3vectors") as api,
    ):
        yield api


class TestWalkOnSqlite(
    Walk, Listing, OneFace, FaceSets, Grouping, People, Comparing, Groups, Identifying, SimilarPeople, Carriers
):
    @pytest.fixture
    def api(self, sqlite_handler: LambdaApi) -> Iterator[LambdaApi]:
        with sqlite_handler.on_an_empty_face_set():
            yield sqlite_handler


class TestWalkOnMysql(
    Walk, Listing, OneFace, FaceSets, Grouping, People, Comparing, Groups, Identifying, SimilarPeople
):
    @pytest.fixture
    def api(self, mysql_handler: LambdaApi) -> Iterator[LambdaApi]:
        with mysql_handler.on_an_empty_face_set():
            yield mysql_handler


class TestPlainRequestsOnSqlite(PlainRequests):
    @pytest.fixture
    def api(self, sqlite_handler: LambdaApi) -> Iterator[LambdaApi]:
        with sqlite_handler.on_an_empty_face_set():
            yield sqlite_handler


class TestPlainRequestsOnMysql(PlainRequests, Carriers):
    smoke_only = True

    @pytest.fixture
    def api(self, mysql_handler: LambdaApi) -> Iterator[LambdaApi]:
        with mysql_handler.on_an_empty_face_set():
            yield mysql_handler


class TestWalkOnS3Vectors(Walk, FaceSets, Grouping, Identifying, SimilarPeople):
    """The tests of the walk that search."""

    smoke_only = True

    @pytest.fixture
    def api(self, vectors_handler: LambdaApi) -> Iterator[LambdaApi]:
        with vectors_handler.on_an_empty_face_set():
            yield vectors_handler

    def test_searches_use_the_index_and_changes_reach_it(self, api: LambdaApi) -> None:
        before = emulation.replies()

        token = api.added(pictures.drawing(), "Ada")
        assert tokens(api.search_picture(pictures.drawing())) == [token]
        api.remove(token)

        after = emulation.replies()
        for reply in ("PutVectors 200", "QueryVectors 200", "DeleteVectors 200"):
            assert after.get(reply, 0) > before.get(reply, 0), reply

    def test_info_shows_the_recall_once_it_is_measured(self, api: Api) -> None:
        api.added(pictures.drawing(), "Ada")
        api.search_picture(pictures.drawing())
        before = api.get("/info").body["gallery"]

        operations.reconcile(wiring.wiring())

        api.search_picture(pictures.drawing())
        gallery = api.get("/info").body["gallery"]
        assert (gallery["faces"], gallery["exact"], gallery["recall"]["share"]) == (None, False, 1.0)
        assert gallery["recall"]["measured_at"] > "2026"
        assert gallery["version"] == before["version"]


def _thresholds() -> dict[str, dict[str, float | None]]:
    """Return the thresholds in the current pack's card, in the format of Face++."""
    by_rate = {f"{t.fmr:.0e}".replace("e-0", "e-"): t for t in ModelPack(CURRENT).thresholds}
    return {
        "thresholds": {rate: t.distance for rate, t in by_rate.items()},
        "worst_false_match_rates": {rate: t.worst for rate, t in by_rate.items()},
    }


class TestRefusals(Refusals):
    @pytest.fixture
    def api(self, sqlite_handler: LambdaApi) -> LambdaApi:
        return sqlite_handler


@on_sqlite
class TestReplies:
    """The fields of each reply and their types; every misspelt field has a twin."""

    def test_detect(self, api: Api) -> None:
        body = api.post("/detect", image_file=pictures.two_faces()).body

        assert shape(body) == {
            "sucess": "bool",
            "success": "bool",
            "face_num": "int",
            "faces": [
                {
                    "face_token": "str",
                    "face_name": "str",
                    "top_left": ["float"],
                    "bottom_right": ["float"],
                    "confidence": "float",
                    "landmarks": [["float"]],
                    "quality": {
                        "size": "float",
                        "sharpness": "float",
                        "brightness": "float",
                        "pose": {"yaw": "float", "pitch": "float", "roll": "float"},
                        "reasons": [],
                    },
                }
            ],
            "truncated": "bool",
        }
        assert (body["sucess"], body["success"], body["truncated"]) == (True, True, False)
        assert body["face_num"] == len(body["faces"]) == 2
        for face in body["faces"]:
            assert re.fullmatch("[A-Za-z0-9]{24}", face["face_token"])
            assert CROP_NAME.fullmatch(face["face_name"])
            (left, top), (right, bottom) = face["top_left"], face["bottom_right"]
            assert 0 <= left < right <= 960
            assert 0 <= top < bottom <= 480
            assert 0 < face["confidence"] <= 1
            assert len(face["landmarks"]) == 5
            assert all(left < x < right and top < y < bottom for x, y in face["landmarks"])

    def test_detect_without_a_face(self, api: Api) -> None:
        body = api.post("/detect", image_file=pictures.cat()).body

        assert body == {"sucess": True, "success": True, "face_num": 0, "faces": [], "truncated": False}

    def test_search_by_token(self, api: Api) -> None:
        added = api.added(pictures.astronaut(), "Eileen Collins")
        target = api.token(pictures.astronaut())

        body = api.get("/search", face_token=target, threshold="0.650").body

        assert body == {
            "sucess": True,
            "success": True,
            "face_token": target,
            "threshold": "0.650",
            "cmp_result": [
                {"face_token": added, "distant": 0.0, "distance": 0.0, "face_name": "Eileen Collins"},
            ],
            "truncated": False,
            **_thresholds(),
        }
        assert shape(body["cmp_result"][0]["distant"]) == "float"

    def test_search_by_picture(self, api: Api) -> None:
        added = api.added(pictures.astronaut(), "Eileen Collins")

        body = api.post("/search", image_file=pictures.drawing(), threshold="9", limit="1").body

        [match] = body["cmp_result"]
        assert match["distant"] > 0
        assert body == {
            "sucess": True,
            "success": True,
            "face_token": body["face_token"],
            "threshold": "9",
            "cmp_result": [
                {
                    "face_token": added,
                    "distant": match["distant"],
                    "distance": match["distant"],
                    "face_name": "Eileen Collins",
                },
            ],
            "truncated": False,
            **_thresholds(),
        }
        assert re.fullmatch("[A-Za-z0-9]{24}", body["face_token"])
        assert body["face_token"] != added

    def test_search_with_no_result(self, api: Api) -> None:
        target = api.token(pictures.astronaut())

        assert api.get("/search", face_token=target, threshold="0").body == {
            "sucess": True,
            "success": True,
            "face_token": target,
            "threshold": "0",
            "cmp_result": [],
            "truncated": False,
            **_thresholds(),
        }

    def test_addface(self, api: Api) -> None:
        token = api.token(pictures.drawing())

        assert api.get("/addface", face_token=token, face_name="Ada").body == {
            "sucess": True,
            "success": True,
            "face_token": token,
            "face_neme": "Ada",
            "face_name": "Ada",
        }

    def test_removeface(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")

        assert api.get("/removeface", face_token=token).body == {"sucess": True, "success": True, "face_token": token}

    def test_health(self, api: Api) -> None:
        assert api.get("/health").body == {"status": "ok"}

    def test_info(self, api: Api) -> None:
        body = api.get("/info").body

        assert shape(body) == {
            "sucess": "bool",
            "success": "bool",
            "model": {
                "name": "str",
                "title": "str",
                "embedding_id": "str",
                "thresholds": [
                    {
                        "fmr": "float",
                        "distance": "float",
                        "true_match_rate": "float",
                        "data": "str",
                        "false_match_rates": dict.fromkeys(("LFW", "people", "celebrities_112", "east_asia"), "float"),
                        "worst_false_match_rate": "float",
                    }
                ],
                "weaknesses": ["str"],
            },
            "faces": "int",
            "gallery": {
                "loaded": "bool",
                "faces": "int",
                "version": "int",
                "exact": "bool",
            },
            "limits": {
                "image_bytes": "int",
                "image_side_px": ["int"],
                "smallest_face_px": "int",
                "name_characters": "int",
                "results": "int",
                "faces_per_picture": "int",
            },
        }
        assert body["faces"] == 0
        assert body["limits"] == {
            "image_bytes": 2_097_152,
            "image_side_px": [48, 4096],
            "smallest_face_px": 30,
            "name_characters": 255,
            "results": 10_000,
            "faces_per_picture": 200,
        }

    @pytest.mark.usefixtures("in_memory")
    def test_info_shows_the_containers_gallery(self, api: Api) -> None:
        """/info loads nothing itself; a search loads the gallery and applies changes to it."""
        added = api.added(pictures.drawing(), "Ada")
        assert api.get("/info").body["gallery"] == {"loaded": False, "faces": 0, "version": 0, "exact": True}

        api.search(added)
        assert api.get("/info").body["gallery"] == {"loaded": True, "faces": 1, "version": 1, "exact": True}

        api.remove(added)
        body = api.get("/info").body
        assert (body["faces"], body["gallery"]) == (0, {"loaded": True, "faces": 1, "version": 1, "exact": True})

        api.search_picture(pictures.drawing())
        assert api.get("/info").body["gallery"] == {"loaded": True, "faces": 0, "version": 2, "exact": True}

    @pytest.mark.parametrize("path", ["/health", "/info"])
    def test_replies_are_json(self, api: Api, path: str) -> None:
        assert api.get(path).headers["content-type"] == "application/json"


class TestContainers:
    def test_without_its_database_the_service_still_detects(self, tokens_table: str, crops_bucket: str) -> None:
        with handler(tokens_table, crops_bucket, f"mysql://root@127.0.0.1:{free_port()}/face_search") as api:
            token = api.token(pictures.drawing())

            reply = api.get("/search", face_token=token, threshold="0.65")

        assert (reply.status, reply.headers["retry-after"], reply.body) == (503, "2", UNREACHABLE)

    def test_a_wrong_setting_does_not_appear_in_the_reply(self, tokens_table: str, crops_bucket: str) -> None:
        with handler(tokens_table, crops_bucket, "postgres://root:secret@127.0.0.1/face_search") as api:
            assert_refused(api.get("/info"), 500, INTERNAL)

    def test_the_function_that_re_embeds_answers_with_its_report(self, api: Api) -> None:
        """With the pack already in use, there is nothing to do."""
        api.added(pictures.drawing(), "Ada")

        report = app.re_embed({"pack": "current"}, context(remaining_milliseconds=900_000))

        assert report == {"done": 0, "left": 0, "not_found_again": [], "lost": [], "switched": True}

    def test_the_function_that_reconciles_leaves_the_face_set_as_it_is(self, api: Api) -> None:
        added = api.added(pictures.drawing(), "Ada")
        event = {
            "version": "0",
            "account": "123456789012",
            "region": "eu-central-1",
            "detail": {},
            "detail-type": "Scheduled Event",
            "source": "aws.events",
            "time": "2030-01-01T00:00:00Z",
            "id": "00000000-0000-0000-0000-000000000000",
            "resources": [],
        }

        done = app.reconcile(event, context(remaining_milliseconds=900_000))
        no_time = app.reconcile(event, context(remaining_milliseconds=0))

        compared, not_compared = "", ""
        if on_s3_vectors():
            equal = "vectors compared with the index: 0 were missing, 0 different, 0 without a face"
            compared, not_compared = f"; 1 {equal}; recall 1.0000", f"; 0 {equal}; recall not measured"
        crops = "crops: 0 of 0 without a face deleted, 0 too new to judge; faces without a crop"
        assert done == f"1 {crops}: 0{compared}"
        assert no_time == f"0 {crops}: unknown{not_compared}"
        assert api.remove(added)

    def test_a_new_container_knows_the_previous_containers_faces(self, api: Api) -> None:
        added, temporary = api.added(pictures.drawing(), "Ada"), api.token(pictures.drawing())

        wiring.reset()

        assert tokens(api.search(temporary)) == [added]
