"""The stages: what each chooses of the template's parameters."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from infra.deploy.package.errors import PackageError

FOLDER = Path(__file__).parents[1] / "stages"
# It becomes part of names: of folders, of the stack, and by that of the database.
NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")


def parameters(name: str, folder: Path = FOLDER) -> dict[str, str]:
    """Return the parameters that a stage sets, by their names in the template.

    Raises
    ------
    PackageError
        When there is no such stage, or its file says something else than parameters.
    """
    if not NAME.fullmatch(name):
        raise PackageError(f"STAGE={name} cannot be a stage's name: it has 1 to 20 of a-z, 0-9 and -, a letter first")
    file = folder / f"{name}.toml"
    if not file.is_file():
        known = ", ".join(sorted(path.stem for path in folder.glob("*.toml")))
        raise PackageError(f"there is no stage {name}: write {file}, as those of {known} are")
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise PackageError(f"{file} is not TOML: {error}") from None
    chosen = content.pop("parameters", {})
    if content or not isinstance(chosen, dict) or not all(isinstance(value, str) for value in chosen.values()):
        raise PackageError(f"{file} may have a table [parameters] of texts in quotes, and nothing else")
    return chosen
