"""`make package`: the stage files, its outputs, and its errors."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from infra.deploy.layers import byte_code
from infra.deploy.layers.target import target
from infra.deploy.package import __main__ as package
from infra.deploy.package import stage
from infra.deploy.package import template as packaged
from infra.deploy.package.errors import PackageError
from tests.template.conftest import STAGES
from tests.template.resolved import Template

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorials" / "deploy-to-aws.md"


def test_artifacts_are_listed_by_the_templates_parameters(packages: dict[str, Path], template: Template) -> None:
    artifacts = json.loads((packages["dev"] / "artifacts.json").read_text(encoding="utf-8"))

    assert artifacts == {
        "FunctionKey": str(packages["dev"] / "function.zip"),
        "DepsLayerKey": "build/layers/deps.zip",
        "ModelsLayerKey": "build/layers/models.zip",
    }
    assert {*artifacts, "ArtifactBucket", "IdentityLayerKey", "Release"} == set(packaged.GIVEN)
    without_default = {name for name, described in template["Parameters"].items() if "Default" not in described}
    assert without_default == set(packaged.GIVEN) - {"IdentityLayerKey"}


def test_the_tutorial_states_the_size_of_the_function(packages: dict[str, Path]) -> None:
    stated = re.search(r"function\.zip: uploaded, ([\d.]+) MB", TUTORIAL.read_text("utf-8"))

    assert stated
    if byte_code.interpreter("3.13"):  # most of the size
        assert float(stated[1]) == pytest.approx((packages["dev"] / "function.zip").stat().st_size / 1e6, abs=0.1)


def test_the_first_pack_is_the_default_and_only_packaged_packs_are_allowed(template: Template) -> None:
    assert template["Parameters"]["ModelPack"]["Default"] == "sface"
    assert template["Parameters"]["ModelPack"]["AllowedValues"] == ["sface", "dlib"]


def test_every_parameter_is_described(template: Template) -> None:
    said_by_the_name = {
        "DatabaseDeletionProtection",
        "DatabaseStorageGb",
        "LogLevel",
        "LogRetentionDays",
    }

    undescribed = {name for name, described in template["Parameters"].items() if "Description" not in described}
    assert undescribed == said_by_the_name


@pytest.mark.parametrize("name", STAGES)
def test_the_stages_set_only_parameters_of_the_template(template: Template, name: str) -> None:
    chosen = stage.parameters(name)

    assert chosen
    packaged.check_parameters(chosen, template, name)


def test_the_error_for_an_unknown_stage_names_the_file_to_write() -> None:
    with pytest.raises(
        SystemExit, match=r"Not packaged: there is no stage test: create .*test\.toml, like those of dev, prod\."
    ):
        package.main(["test", "dlib"])


@pytest.mark.parametrize("name", ["", "Dev", "1st", "../dev", "local stage", "a" * 21])
def test_an_invalid_stage_name_is_refused(name: str) -> None:
    with pytest.raises(PackageError, match="cannot be a stage's name"):
        stage.parameters(name)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[parameters", "is not TOML"),
        ("[parameters]\nDatabaseBackupDays = 7", "with quoted strings"),
        ("DatabaseClass = 'db.t4g.small'", "with quoted strings"),
        ("parameters = 1", "with quoted strings"),
    ],
)
def test_an_invalid_stage_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "mine.toml").write_text(text)

    with pytest.raises(PackageError, match=message):
        stage.parameters("mine", tmp_path)


def test_a_stage_without_parameters_has_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").touch()

    assert stage.parameters("mine", tmp_path) == {}


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"DatabaseClas": "db.t4g.small"}, "sets DatabaseClas, which is not a parameter"),
        ({"FunctionKey": "mine.zip"}, "sets FunctionKey, which is not a parameter that a stage can set"),
        ({"DatabaseClass": "db.t3.nano"}, "sets DatabaseClass to db.t3.nano: it must be one of db.t4g.small, "),
        ({"LogRetentionDays": "8"}, "sets LogRetentionDays to 8: it must be one of 1, 3, 5, 7, "),
        ({"ModelPack": "facenet"}, "sets ModelPack to facenet: it must be one of sface, dlib"),
    ],
)
def test_an_invalid_parameter_of_a_stage_is_named(template: Template, chosen: dict[str, str], message: str) -> None:
    with pytest.raises(PackageError, match=message):
        packaged.check_parameters(chosen, template, "mine")


def test_the_template_is_reproducible(packages: dict[str, Path], tmp_path: Path) -> None:
    package.write("dev", target("arm64", "python3.13"), ["sface", "dlib"], tmp_path)

    for name in ("template.json", "function.zip"):
        assert (tmp_path / name).read_bytes() == (packages["dev"] / name).read_bytes()


def test_make_passes_its_variables_on() -> None:
    command = ["make", "--dry-run", "package", "STAGE=prod", "PACK=dlib facenet", "ARCH=x86_64", "RUNTIME=python3.12"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert "-m infra.deploy.package prod dlib facenet --arch x86_64 --runtime python3.12" in done.stdout


def test_a_resource_described_twice_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "resources.yaml").write_text("Resources: {CropsBucket: {Type: AWS::S3::Bucket}}")
    (tmp_path / "more.yaml").write_text("Resources: {CropsBucket: {Type: AWS::S3::Bucket}}")
    monkeypatch.setattr(packaged, "FOLDER", tmp_path)

    with pytest.raises(PackageError, match=r"resources\.yaml describes CropsBucket, but another file already does"):
        packaged.parts()
