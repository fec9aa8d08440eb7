"""What `make package` made of a stage, and the parameters that its operator chose."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.deploy.errors import DeployError

ROOT = Path(__file__).parents[2]
STAGES = Path("infra") / "stages"
# A stack's name, and with it a stage's, ends up in the names of resources, some of which may have 63 characters.
STAGE_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Package:
    """A stage that can be uploaded.

    `artifacts` leads from a template's parameter to the local file that is uploaded for it; `parameters` are the
    stage's own.
    """

    template: Path
    artifacts: dict[str, Path]
    parameters: dict[str, str]


def stage_file(stage: str, root: Path = ROOT) -> Path:
    """Return the file of a stage's parameters.

    Raises
    ------
    DeployError
        When the stage's name cannot be one, or there is no such file.
    """
    if not STAGE_NAME.fullmatch(stage):
        raise DeployError(
            f"{stage!r} cannot be a stage's name: at most 20 of a-z, 0-9 and -, the first of them a letter"
        )
    path = root / STAGES / f"{stage}.toml"
    if not path.is_file():
        others = ", ".join(sorted(file.stem for file in path.parent.glob("*.toml"))) or "none"
        raise DeployError(
            f"there is no stage {stage}, only {others}: copy one of {STAGES}/*.toml to {STAGES / path.name}"
        )
    return path


def load(stage: str, root: Path = ROOT) -> Package:
    """Read what was packaged for a stage.

    Raises
    ------
    DeployError
        When something of it is missing, or the stage has a parameter that the template has not.
    """
    given = tomllib.loads(stage_file(stage, root).read_text("utf-8")).get("parameters", {})
    folder = root / "build" / "package" / stage
    template, listed = folder / "template.json", folder / "artifacts.json"
    again = f"run `make package STAGE={stage}`"
    for path in (template, listed):
        if not path.is_file():
            raise DeployError(f"{path.relative_to(root)} is not there: {again}")
    artifacts = {name: root / path for name, path in json.loads(listed.read_text("utf-8")).items()}
    for path in artifacts.values():
        if not path.is_file():
            raise DeployError(f"{path.relative_to(root)} is not there: {again}")
    known = json.loads(template.read_text("utf-8")).get("Parameters", {})
    if unknown := sorted(given.keys() - known.keys()):
        raise DeployError(
            f"{STAGES}/{stage}.toml has {', '.join(unknown)}, which the template does not know: it knows "
            f"{', '.join(sorted(known))}"
        )
    return Package(template, artifacts, {name: _text(value) for name, value in given.items()})


def _text(value: Any) -> str:
    """Return a parameter as CloudFormation takes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(_text(item) for item in value)
    return str(value)
