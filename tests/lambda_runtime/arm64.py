"""Run the arm64 layers on another machine with qemu: `make test-arm64 ARM64_ROOT=folder`. Not part of `make test`.

The folder is an arm64 Linux system with Python 3.13 in usr/bin. For example, unpack Debian 13's packages python3.13 and
libstdc++6 with their dependencies.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.deploy.layers.target import target
from tests.e2e import pictures
from tests.lambda_runtime.container import Container
from tests.lambda_runtime.container_api import SCHEDULED, ContainerApi
from tests.lambda_runtime.deployment import Deployment, deployed
from tests.lambda_runtime.stores import stores
from tests.packs import deployed_pack
from tests.services import mysql_port

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

# 7.2 crashes in ONNX Runtime; 10.0 was measured to work.
OLDEST_QEMU = 9
# Includes qemu's own memory for translated code.
LIMITS: dict[str, Any] = {"memory_mb": 4096, "patience_seconds": 1200}


@pytest.fixture(scope="module")
def deployment() -> Iterator[Deployment]:
    root = Path(os.environ.get("ARM64_ROOT") or "/nowhere").absolute()
    python = root / "usr" / "bin" / "python3.13"
    if not python.exists():
        pytest.exit(f"ARM64_ROOT must name a folder with an arm64 system, but {python} is missing", 1)
    with deployed(target("arm64", "python3.13"), [emulator(), "-L", str(root), str(python)]) as deployment:
        yield deployment


def emulator() -> str:
    """Return the command of a new enough qemu: QEMU from the environment, or the one on PATH."""
    names = [os.environ.get("QEMU", ""), "qemu-aarch64", "qemu-aarch64-static"]
    command = next((found for name in names if name and (found := shutil.which(name))), None)
    if command is None:
        pytest.exit("qemu-aarch64 is not on PATH: install qemu-user, or set QEMU= to the command", 1)
    told = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"version (\d+)\.\d+", told)
    if version is None or int(version[1]) < OLDEST_QEMU:
        pytest.exit(
            f"qemu {OLDEST_QEMU} or newer is needed, because older ones crash: {command} is {told.splitlines()[0]}", 1
        )
    return str(Path(command).absolute())


@pytest.fixture(scope="module")
def environment(
    deployment: Deployment, dynamodb: DynamoDBClient, s3: S3Client, aws_endpoint: str
) -> Iterator[dict[str, str]]:
    with mysql_port() as port:
        if port is None:
            pytest.exit("there is no MySQL server on 127.0.0.1:3306, and no mariadbd or mysqld to start one", 1)
        with stores(deployment, dynamodb, s3, aws_endpoint, port, **LIMITS) as environment:
            yield environment


def test_all_endpoints_work_on_arm64(deployment: Deployment, environment: dict[str, str]) -> None:
    with Container(deployment, environment=environment, **LIMITS) as container:
        api = ContainerApi(container)
        token = api.added(pictures.astronaut(), "Eileen Collins")
        found = api.search_picture(pictures.astronaut_png())
        assert [match["face_name"] for match in found["cmp_result"]] == ["Eileen Collins"]
        assert api.search(found["face_token"])["cmp_result"] == found["cmp_result"]
        assert api.search_picture(pictures.drawing())["cmp_result"] == []
        info = api.get("/info").body
        assert (info["faces"], info["model"]["embedding_id"]) == (1, deployed_pack().embedding_id)
        api.remove(token)
        assert api.search(found["face_token"])["cmp_result"] == []
        assert api.get("/health").body == {"status": "ok"}
        # ONNX Runtime misses the folder of processors here, and would write lines of its own.
        assert all(json.loads(line) for line in container.log().splitlines())


def test_a_scheduled_function_works_on_arm64(deployment: Deployment, environment: dict[str, str]) -> None:
    with Container(deployment, "app.compact", environment, **LIMITS) as container:
        assert "the segments show version" in container.invoke(SCHEDULED)
