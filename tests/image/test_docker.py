"""Both images, built and run by Docker where one answers."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.image import __main__ as image
from tests.conftest import absent
from tests.e2e import pictures
from tests.e2e.http_api import TIMEOUT_SECONDS, HttpApi
from tests.e2e.lambda_api import health
from tests.image.dockerfile import NO_STORES
from tests.packs import deployed_pack

ROOT = Path(__file__).parents[2]
NAME = "face-search-test"
MAX_START_SECONDS = 300.0
# AWS's emulator takes invocations here: github.com/aws/aws-lambda-runtime-interface-emulator.
INVOCATIONS = "2015-03-31/functions/function/invocations"


@pytest.fixture(autouse=True, scope="module")
def _docker() -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "info"], capture_output=True, check=False).returncode
    ):
        absent("no Docker answers on this machine")


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@contextmanager
def running(name: str, port: int, *options: str) -> Iterator[tuple[str, int]]:
    """Run an image; yield the container and the port of this machine that leads to the container's."""
    container = docker("run", "--detach", "--publish", f"127.0.0.1::{port}", *options, name)
    try:
        yield container, int(docker("port", container, f"{port}/tcp").rpartition(":")[2])
    finally:
        docker("rm", "--force", container)


def wait_until_healthy(container: str) -> None:
    """Wait until the image's own check has passed."""
    end = time.monotonic() + MAX_START_SECONDS
    while docker("inspect", "--format", "{{.State.Health.Status}}", container) != "healthy":
        assert time.monotonic() < end, docker("logs", container)
        time.sleep(1)


def test_the_local_image_is_built_from_a_clone_and_keeps_its_faces() -> None:
    docker("build", "--tag", NAME, "--file", str(image.DOCKERFILE), str(ROOT))
    volume = docker("volume", "create")
    try:
        with running(NAME, 8000, "--volume", f"{volume}:/data/state") as (container, port):
            wait_until_healthy(container)
            token = HttpApi(port).added(pictures.astronaut(), "Eileen Collins")
            assert docker("exec", container, "id", "-u") == "10001"
            docker("stop", container)
            assert docker("inspect", "--format", "{{.State.ExitCode}}", container) == "0"
        with running(NAME, 8000, "--volume", f"{volume}:/data/state") as (container, port):
            wait_until_healthy(container)
            [match] = HttpApi(port).search_picture(pictures.astronaut_png())["cmp_result"]
            assert (match["face_token"], match["face_name"]) == (token, "Eileen Collins")
    finally:
        docker("volume", "rm", "--force", volume)


def test_lambdas_image_answers_in_awss_emulator() -> None:
    pack = deployed_pack().name
    with pytest.raises(SystemExit) as ended:
        image.main(["lambda", pack, "--arch", image.default_architecture("local")])
    assert ended.value.code == 0
    variables = {**NO_STORES, "MODEL_DIR": f"/opt/models/{pack}", "AWS_REGION": "eu-central-1"}
    options = [option for name, value in variables.items() for option in ("--env", f"{name}={value}")]

    with running("face-search:lambda", 8080, *options) as (_, port):
        reply = invoked(f"http://127.0.0.1:{port}/{INVOCATIONS}")

    assert reply["statusCode"] == 200
    assert json.loads(reply["body"]) == {"status": "ok"}


def invoked(url: str) -> dict[str, Any]:
    """Return the function's answer to a request for /health, once the emulator listens."""
    end = time.monotonic() + MAX_START_SECONDS
    while True:
        try:
            answer: dict[str, Any] = requests.post(url, json=health(), timeout=TIMEOUT_SECONDS).json()
        except requests.ConnectionError:
            assert time.monotonic() < end
            time.sleep(1)
        else:
            return answer
