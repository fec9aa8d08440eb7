"""Compiles modules for Lambda, where folders are read-only: every cold start would compile the modules again."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.deploy.layers.errors import LayerError

# Where Lambda unpacks the layer and the function; tracebacks name these paths.
LAYER, FUNCTION = "/opt/python", "/var/task"


def interpreter(python: str) -> str | None:
    """Return the command of a Python with the minor version `python`, like 3.13, or None if there is none.

    Checks the running Python, then PATH, then pyenv's versions: pyenv's shims on PATH work only for active versions.
    Byte code depends on the minor version and not on the architecture.
    """
    name = f"python{python}"
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [sys.executable, shutil.which(name), *sorted(map(str, versions.glob(f"{python}.*/bin/{name}")))]
    return next((command for command in candidates if command and _version(command) == python), None)


def compile_modules(tree: Path, command: str, deployed: str = LAYER) -> None:
    """Write byte code for each module. Python uses it without checking the module's time or content.

    The same modules give the same bytes: a fixed hash seed determines the order of sets in constants.

    Parameters
    ----------
    deployed
        The tree's path at Lambda.

    Raises
    ------
    LayerError
        When a module does not compile.
    """
    arguments = ["-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash"]
    compiled = subprocess.run(
        [command, *arguments, "-s", str(tree), "-p", deployed, str(tree)],
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if compiled.returncode:
        raise LayerError(f"{command} cannot compile the modules: {(compiled.stdout + compiled.stderr).strip()}")


def _version(command: str) -> str:
    """Return the minor version of a Python, or "" when the command fails."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([command, "-I", "-c", code], capture_output=True, text=True, check=False).stdout.strip()
