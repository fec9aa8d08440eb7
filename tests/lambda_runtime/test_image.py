"""The Lambda image's files, run by AWS's runtime client where the Dockerfile copies them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from infra.deploy.layers import __main__ as layers
from infra.deploy.layers.target import Target
from infra.image import contents
from tests.e2e import pictures
from tests.e2e.lambda_api import health
from tests.image.dockerfile import NO_STORES, stages
from tests.lambda_runtime.container import Container
from tests.lambda_runtime.container_api import ContainerApi
from tests.lambda_runtime.deployment import Deployment, own_target
from tests.packs import deployed_pack

LAMBDA = stages()["lambda"]


@pytest.fixture(scope="module")
def image(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    """Return the image's files at the Dockerfile's places. Its dependencies are installed like the deployment's."""
    folder = tmp_path_factory.mktemp("image")

    def copy_installed(_: Target, tree: Path) -> None:
        shutil.copytree(deployment.opt / "python", tree)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layers, "install_dependencies", copy_installed)
        contents.for_lambda(own_target()[0], [deployed_pack().folder], folder)
    at = {destination: folder / source for _, source, destination in LAMBDA.copies()}
    return Deployment(
        deployment.python, deployment.version, at[Path("/opt")], at[Path("/var/task")], deployment.runtime
    )


def test_the_files_are_those_of_the_zip_and_the_layers(image: Deployment, deployment: Deployment) -> None:
    for folder, packaged in ((image.opt, deployment.opt), (image.task, deployment.task)):
        assert _sizes(folder) == _sizes(packaged)


def test_the_image_answers_in_the_runtime_client(image: Deployment, environment: dict[str, str]) -> None:
    [handler] = LAMBDA.words("CMD")
    with Container(image, handler, environment) as container:
        api = ContainerApi(container)
        token = api.added(pictures.astronaut(), "Eileen Collins")

        [match] = api.search_picture(pictures.astronaut_png())["cmp_result"]
        assert (match["face_token"], match["face_name"]) == (token, "Eileen Collins")
        assert api.get("/health").body == {"status": "ok"}
        assert all(json.loads(line) for line in container.log().splitlines())


def test_the_image_answers_without_stores(image: Deployment) -> None:
    """tests/image/test_docker.py asks the built image the same, in AWS's emulator of the runtime."""
    with Container(image, "app.app", NO_STORES) as container:
        assert container.invoke(health())["statusCode"] == 200


def _sizes(folder: Path) -> dict[str, int]:
    """Return the size of each file by its path in the folder."""
    return {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()}
