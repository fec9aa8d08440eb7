"""All endpoints of the packaged function, in containers with little and with much memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import pictures
from tests.e2e.refusals import Refusals
from tests.e2e.walk import EVERYTHING, Walk
from tests.lambda_runtime.container import Container
from tests.lambda_runtime.container_api import SCHEDULED, ContainerApi
from tests.lambda_runtime.deployment import Deployment

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


class TestWalkWithLittleMemory(WalkInAContainer):
    memory_mb = LEAST_MB

    def test_the_largest_picture_fits(self, api: ContainerApi) -> None:
        assert api.detect(pictures.jpeg(pictures.scaled(pictures.astronaut_pixels(), 8)))


class TestWalkWithMuchMemory(WalkInAContainer):
    memory_mb = MOST_MB


class TestRefusals(Refusals):
    memory_mb = LEAST_MB

    @pytest.fixture
    def api(self, container_api: ContainerApi) -> ContainerApi:
        return container_api


class TestOtherFunctions:
    def test_a_compaction_is_what_the_next_container_loads(
        self, deployment: Deployment, environment: dict[str, str]
    ) -> None:
        with Container(deployment, "app.app", environment) as container:
            token = ContainerApi(container).added(pictures.drawing(), "Ada")

        with Container(deployment, "app.compact", environment) as container:
            assert container.invoke(SCHEDULED) == "the segments show version 1"

        with Container(deployment, "app.app", environment) as container:
            found = ContainerApi(container).search_picture(pictures.drawing(), EVERYTHING)
        assert [match["face_token"] for match in found["cmp_result"]] == [token]

    def test_embedding_anew_under_the_same_pack_finds_nothing_to_do(
        self, deployment: Deployment, environment: dict[str, str]
    ) -> None:
        with Container(deployment, "app.re_embed", environment) as container:
            report = container.invoke({"pack": "dlib"})

        assert report == {"done": 0, "left": 0, "not_found_again": [], "lost": [], "switched": True}
