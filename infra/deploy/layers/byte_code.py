"""Compiles modules for Lambda: their folders are read-only, so what is not compiled here is in every cold start."""

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
    """Return the command of a Python of the minor version `python`, like 3.13, or None where there is none.

    Looks at the Python that runs this, then on PATH, then among pyenv's versions, whose shims on PATH work only for
    those that are switched on. Byte code depends on the minor version and not on the architecture.
    """
    name = f"python{python}"
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates = [sys.executable, shutil.which(name), *sorted(map(str, versions.glob(f"{python}.*/bin/{name}")))]
    return next((command for command in candidates if command and _version(command) == python), None)


def compile_modules(tree: Path, command: str, deployed: str = LAYER) -> None:
    """Put byte code beside each module, which Python takes as it is, without a look at the module's time or content.

    `deployed` is where the tree will be.

    The same modules give the same bytes: sets in constants are ordered by a fixed seed of hashes.

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
    """Return the minor version of a Python; nothing where the command does not run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([command, "-I", "-c", code], capture_output=True, text=True, check=False).stdout.strip()
