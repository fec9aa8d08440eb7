"""Loads the files that `make package` wrote for a stage, and the stage's parameters."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from infra.deploy.errors import DeployError
from infra.deploy.package import stage

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Package:
    """A packaged stage, ready to upload.

    `artifacts` maps each template parameter to the local file uploaded for it. `parameters` are the stage's own.
    """

    template: Path
    artifacts: dict[str, Path]
    parameters: dict[str, str]


def load(name: str, root: Path = ROOT) -> Package:
    """Load the package of a stage.

    Raises
    ------
    infra.deploy.package.errors.PackageError
        When there is no such stage, or its file is invalid.
    DeployError
        When a file of the package is missing.
    """
    parameters = stage.parameters(name)
    folder = root / "build" / "package" / name
    template, listed = folder / "template.json", folder / "artifacts.json"
    again = f"run `make package STAGE={name}`"
    for path in (template, listed):
        if not path.is_file():
            raise DeployError(f"{path.relative_to(root)} does not exist: {again}")
    artifacts = {parameter: root / path for parameter, path in json.loads(listed.read_text("utf-8")).items()}
    for path in artifacts.values():
        if not path.is_file():
            raise DeployError(f"{path.relative_to(root)} does not exist: {again}")
    return Package(template, artifacts, parameters)
