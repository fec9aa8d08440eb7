"""Reads the parameters that each stage sets."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from infra.deploy.package.errors import PackageError

FOLDER = Path(__file__).parents[1] / "stages"
# The name becomes part of folder names, the stack's name, and so the database's name.
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


def parameters(name: str, folder: Path = FOLDER) -> dict[str, str]:
    """Return the parameters that a stage sets, by their names in the template.

    Raises
    ------
    PackageError
        When the name is invalid, there is no such stage, or its file has anything other than parameters.
    """
    if not NAME.fullmatch(name):
        raise PackageError(
            f"STAGE={name} cannot be a stage's name: it must have 1 to 20 of a-z, 0-9 and -, and start with a letter"
        )
    file = folder / f"{name}.toml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
        raise PackageError(f"there is no stage {name}: create {file}, like those of {known}")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise PackageError(f"{file} is not TOML: {error}") from None
    chosen = content.pop("parameters", {})
    if content or not isinstance(chosen, dict) or not all(isinstance(value, str) for value in chosen.values()):
        raise PackageError(f"{file} may contain only a table [parameters] with quoted strings")
    return chosen
