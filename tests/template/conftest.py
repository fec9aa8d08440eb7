"""The stages' templates, made once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from infra.layers.target import target
from infra.package import __main__ as package
from infra.package import stage
from tests.template.resolved import Resolved, Template

STAGES = ("dev", "prod")


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folder of each stage's package, but for the layers."""
    folder = tmp_path_factory.mktemp("package")
    goal = target("arm64", "python3.13")
    return {name: package.write(name, goal, ["sface", "dlib"], folder / name).parent for name in STAGES}


@pytest.fixture(scope="session")
def template(packages: dict[str, Path]) -> Template:
    """The template; the stages have the same, and differ in the parameters that they pass."""
    texts = {(folder / "template.json").read_text(encoding="utf-8") for folder in packages.values()}
    assert len(texts) == 1
    read: Template = json.loads(texts.pop())
    return read


@pytest.fixture(scope="session", params=STAGES)
def stack(request: pytest.FixtureRequest, template: Template) -> Resolved:
    """What CloudFormation makes of the template in each of the stages."""
    return Resolved(template, stage.parameters(request.param))


@pytest.fixture(scope="session")
def dev(template: Template) -> Resolved:
    return Resolved(template, stage.parameters("dev"))


@pytest.fixture(scope="session")
def prod(template: Template) -> Resolved:
    return Resolved(template, stage.parameters("prod"))


@pytest.fixture(scope="session")
def with_proxy(template: Template) -> Resolved:
    return Resolved(template, stage.parameters("prod") | {"UseProxy": "true"})


@pytest.fixture(scope="session")
def with_vectors(template: Template) -> Resolved:
    return Resolved(template, stage.parameters("prod") | {"Gallery": "s3vectors"})
