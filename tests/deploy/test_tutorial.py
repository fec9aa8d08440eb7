"""docs/tutorials/deploy-to-aws.md against moto: the commands of the Makefile, then requests with the key."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.deploy.packaged_stage import ROOT
from tests.browser.gateway import gateway
from tests.deploy.conftest import Operator
from tests.documentation.pages import Reader
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack

KEY = "secret"


@pytest.fixture
def address(sqlite_stack: LocalStack) -> Iterator[str]:
    """The address of a service that requires the key. All faces are removed afterwards."""
    api = HttpApi(sqlite_stack.port)
    with gateway(api.url, KEY) as front:
        yield front.url
    api.remove_everything()
    api.session.close()


@pytest.fixture
def environment_of_make(operator: Operator, tmp_path: Path) -> Path:
    """What `make` takes for an installed .venv. Its Python packages nothing, because the fixture has packaged."""
    shutil.copy(ROOT / "Makefile", operator.root)
    shutil.copy(ROOT / "infra" / "requirements.txt", operator.root / "infra")
    folder = tmp_path / "venv"
    python = folder / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\n[ "$2" = infra.deploy.package ] || exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    (folder / ".run").touch()
    return folder


def test_the_page_shows_the_real_outputs(
    operator: Operator, environment_of_make: Path, address: str, tmp_path: Path
) -> None:
    (operator.root / "eileen.jpg").write_bytes(pictures.astronaut())
    environment = operator.environment | {"FACE_SEARCH_URL": address, "FACE_SEARCH_KEY": KEY}
    make = {f"make {target}": f"make VENV={environment_of_make} {target}" for target in ("deploy", "destroy")}
    reader = Reader(operator.root, tmp_path / "programs", environment, replaced=make)

    reader.follow(ROOT / "docs" / "tutorials" / "deploy-to-aws.md")

    assert len(operator.events) == 2
