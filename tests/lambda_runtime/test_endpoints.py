"""All endpoints of the packaged function, in containers with little and with much memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
import requests

from chalicelib.api.console import page
from chalicelib.incoming import paths
from tests.e2e import pictures
from tests.e2e.carriers import Carriers
from tests.e2e.comparing import Comparing
from tests.e2e.face_management import Listing, OneFace
from tests.e2e.face_sets import FaceSets, Grouping
from tests.e2e.grouped import Groups
from tests.e2e.identifying import Identifying, SimilarPeople
from tests.e2e.person_management import People
from tests.e2e.refusals import Refusals
from tests.e2e.walk import EVERYTHING, Walk
from tests.incoming import arrived
from tests.lambda_runtime.container import Container
from tests.lambda_runtime.container_api import SCHEDULED, ContainerApi
from tests.lambda_runtime.deployment import Deployment
from tests.packs import deployed_pack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LEAST_MB, MOST_MB = 512, 1769


@pytest.fixture(scope="class")
def container(
    deployment: Deployment, environment: dict[str, str], request: pytest.FixtureRequest
) -> Iterator[Container]:
    with Container(deployment, "app.app", environment, request.cls.memory_mb) as container:
        yield container
        assert container.peak_memory_bytes() <= request.cls.memory_mb * 2**20


@pytest.fixture(scope="class")
def container_api(container: Container) -> ContainerApi:
    return ContainerApi(container)


class WalkInAContainer(Walk):
    memory_mb: int

    @pytest.fixture
    def api(self, container_api: ContainerApi) -> Iterator[ContainerApi]:
        with container_api.on_an_empty_face_set():
            yield container_api


class TestWalkWithLittleMemory(
    WalkInAContainer,
    Listing,
    OneFace,
    FaceSets,
    Grouping,
    People,
    Comparing,
    Groups,
    Identifying,
    SimilarPeople,
    Carriers,
):
    memory_mb = LEAST_MB

    def test_the_largest_picture_fits(self, api: ContainerApi) -> None:
        assert api.detect(pictures.jpeg(pictures.scaled(pictures.astronaut_pixels(), 8)))

    def test_a_crop_is_read_from_s3(self, api: ContainerApi) -> None:
        token = api.added(pictures.drawing(), "Ada")

        reply = api.get(f"/faces/{token}/crop")

        assert reply.status == 302
        assert requests.get(reply.headers["location"], timeout=60).headers["content-type"] == "image/jpeg"

    @pytest.mark.parametrize("path", ["/", "/upload"])
    def test_the_console_is_served(self, api: ContainerApi, path: str) -> None:
        reply = api.get(path)

        assert (reply.status, reply.text) == (200, page().text)
        assert reply.headers["content-security-policy"] == page().headers["Content-Security-Policy"]

    def test_the_specification_is_served(self, api: ContainerApi) -> None:
        assert api.get("/openapi.json").body["openapi"].startswith("3.1")


class TestWalkWithMuchMemory(WalkInAContainer):
    smoke_only = True
    memory_mb = MOST_MB


class TestRefusals(Refusals):
    memory_mb = LEAST_MB

    @pytest.fixture
    def api(self, container_api: ContainerApi) -> ContainerApi:
        return container_api


class TestOtherFunctions:
    def test_the_next_container_loads_the_compacted_segments(
        self, deployment: Deployment, environment: dict[str, str], s3: S3Client
    ) -> None:
        with Container(deployment, "app.app", environment) as container:
            token = ContainerApi(container).added(pictures.drawing(), "Ada")

        with Container(deployment, "app.compact", environment) as container:
            assert container.invoke(SCHEDULED) == "the segments show version 1"
        assert s3.list_objects_v2(Bucket=environment["CROPS_BUCKET"], Prefix="segments/")["KeyCount"] == 1

        with Container(deployment, "app.app", environment) as container:
            found = ContainerApi(container).search_picture(pictures.drawing(), EVERYTHING)
        assert [match["face_token"] for match in found["cmp_result"]] == [token]

    def test_re_embedding_under_the_same_pack_has_nothing_to_do(
        self, deployment: Deployment, environment: dict[str, str]
    ) -> None:
        with Container(deployment, "app.re_embed", environment) as container:
            report = container.invoke({"pack": deployed_pack().name})

        assert report == {"done": 0, "left": 0, "not_found_again": [], "lost": [], "switched": True}

    def test_reconciling_finds_a_row_for_every_crop(self, deployment: Deployment, environment: dict[str, str]) -> None:
        with Container(deployment, "app.app", environment) as container:
            ContainerApi(container).added(pictures.drawing(), "Ada")

        with Container(deployment, "app.reconcile", environment) as container:
            answer = container.invoke(SCHEDULED)

        assert "0 of 0 without a face deleted" in answer
        assert not answer.startswith("0 crops")

    def test_a_picture_in_the_incoming_bucket_is_added(
        self, deployment: Deployment, environment: dict[str, str], s3: S3Client
    ) -> None:
        bucket = f"{environment['CROPS_BUCKET']}-incoming"
        place: Any = {"LocationConstraint": s3.meta.region_name}
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)
        path = "incoming/add/default/Ada + Zoë/1.jpg"
        s3.put_object(Bucket=bucket, Key=path, Body=pictures.astronaut())

        with Container(deployment, "app.intake", environment | {"INCOMING_BUCKET": bucket}) as container:
            answers = [container.invoke(arrived(path)) for _ in range(2)]
            assert '"message":"taken in"' in container.log()
            assert "Zoë" not in container.log()
        assert answers == ["1 of 1 pictures were taken in", "0 of 1 pictures were taken in"]

        added = json.loads(s3.get_object(Bucket=bucket, Key=paths.result_of(path))["Body"].read())
        with Container(deployment, "app.app", environment) as container:
            [found] = ContainerApi(container).search_picture(pictures.astronaut_png())["cmp_result"]
            assert (found["face_token"], found["face_name"]) == (added["face_token"], "Ada + Zoë")
            ContainerApi(container).remove(added["face_token"])

    def test_an_export_can_be_imported_again(self, deployment: Deployment, environment: dict[str, str]) -> None:
        with Container(deployment, "app.app", environment) as container:
            token = ContainerApi(container).added(pictures.drawing(), "Ada")
            with Container(deployment, "app.export", environment) as export:
                assert export.invoke({"name": "monday"})["done"] is True
            ContainerApi(container).remove(token)
            with Container(deployment, "app.import_faces", environment) as importing:
                assert importing.invoke({"name": "monday"})["done"] is True

            assert ContainerApi(container).get(f"/faces/{token}").body["face_name"] == "Ada"
