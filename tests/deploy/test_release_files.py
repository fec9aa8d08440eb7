"""`python -m infra.deploy.release_files`: what CDK and Terraform deploy without this project."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from infra.deploy import release_files
from infra.deploy.errors import DeployError
from infra.deploy.packaged_stage import Package, load
from tests.deploy.conftest import TEMPLATE

PATTERN = "^[A-Za-z0-9-]{1,60}$"


@pytest.fixture
def package(tmp_path: Path) -> Package:
    template = json.loads(TEMPLATE.read_text("utf-8"))
    template["Parameters"]["Release"]["AllowedPattern"] = PATTERN
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "template.json").write_text(json.dumps(template))
    artifacts = {f"{name}Key": tmp_path / "package" / f"{name.lower()}.zip" for name in ("Function", "Deps", "Models")}
    for key, path in artifacts.items():
        path.write_text(key)
    return Package(tmp_path / "package" / "template.json", artifacts, {})


def test_the_files_have_their_sums_and_the_template_names_the_release(package: Package, tmp_path: Path) -> None:
    into = tmp_path / "release"

    files = release_files.collect(package, "v1.2.0", into)

    names = ["deps.zip", "function.zip", "models.zip", "template.json", "SHA256SUMS"]
    assert [file.name for file in files] == names
    template = json.loads((into / "template.json").read_text("utf-8"))
    assert template["Parameters"].pop("Release") == {"Type": "String", "AllowedPattern": PATTERN, "Default": "v1-2-0"}
    packaged = json.loads(package.template.read_text("utf-8"))
    del packaged["Parameters"]["Release"]
    assert template == packaged
    sums = dict(line.split("  ")[::-1] for line in (into / "SHA256SUMS").read_text("utf-8").splitlines())
    assert sums == {name: hashlib.sha256((into / name).read_bytes()).hexdigest() for name in names[:-1]}
    assert (into / "models.zip").read_text() == "ModelsKey"


def test_a_folder_with_files_is_not_overwritten(package: Package, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="is not empty"):
        release_files.collect(package, "v1.2.0", package.template.parent)


def test_a_long_name_is_refused(package: Package, tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="cannot be a release's name"):
        release_files.collect(package, "v" * 61, tmp_path / "release")


def test_a_stage_must_be_packaged(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="run `make package STAGE=prod`"):
        load("prod", tmp_path)
    with pytest.raises(SystemExit, match="No release: STAGE=Prod cannot be a stage's name"):
        release_files.main(["Prod", "v1", "--into", str(tmp_path / "release")])
