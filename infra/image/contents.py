"""Prepares the files of an image in a folder, so that the Dockerfile only copies them."""

from __future__ import annotations

import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from packaging.markers import Marker

from infra.deploy.layers import __main__ as layers
from infra.deploy.layers import byte_code, installation, shared_libraries
from infra.deploy.layers.target import ARCHITECTURES, Target
from infra.deploy.package import function

ROOT = Path(__file__).parents[2]
REQUIREMENTS = ROOT / "infra" / "requirements.txt"
# What the local stack needs of the clone, apart from app.py and the pack.
SERVICE = ("chalicelib", "infra/local", "infra/s3_vectors")
FILES = ("app.py", ".chalice/config.json", "infra/__init__.py", "infra/deploy/template/resources.yaml")
# The image's own folders, which tracebacks name.
PACKAGES, WORKPLACE = "/opt/packages", "/srv/face-search"
# The name of the pack's folder, the last part of the image's MODEL_DIR.
PACK = "models/pack"
# A pin with its hashes, as uv writes it.
PIN = re.compile(
    r"^(?P<name>\S+==\S+)(?: ; (?P<marker>[^\\\n]+))?(?P<hashes> \\\n(?: +--hash=\S+(?: \\)?\n)+)", re.MULTILINE
)


def for_lambda(goal: Target, packs: Sequence[Path], into: Path) -> None:
    """Write the folders opt, with the contents of both layers, and task, with the function.

    Parameters
    ----------
    packs
        The folders of the model packs.

    Raises
    ------
    infra.deploy.layers.errors.LayerError, infra.deploy.package.errors.PackageError
        When a package would not run on the target, or Chalice cannot package the app.
    """
    layers.install_dependencies(goal, into / "opt" / "python")
    layers.copy_packs(packs, into / "opt" / "models")
    with TemporaryDirectory() as work, zipfile.ZipFile(function.build(Path(work), goal.python)) as zipped:
        zipped.extractall(into / "task")
    make_readable(into)


def for_local(goal: Target, pack: Path, into: Path) -> None:
    """Write the folders packages, service and data, for the local stack with one model pack.

    Raises
    ------
    infra.deploy.layers.errors.LayerError
        When a package has no wheel for the target.
    """
    with TemporaryDirectory() as work:
        pinned = Path(work) / REQUIREMENTS.name
        pinned.write_text(pins(REQUIREMENTS.read_text("utf-8"), goal), "utf-8")
        installation.install(pinned, goal, into / "packages")
    shared_libraries.check(into / "packages", goal)
    for folder in SERVICE:
        ignored = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")
        shutil.copytree(ROOT / folder, into / "service" / folder, ignore=ignored)
    for name in FILES:
        (into / "service" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, into / "service" / name)
    layers.copy_packs([pack], into / "service" / "models")
    (into / "service" / "models" / pack.name).rename(into / "service" / PACK)
    if command := byte_code.interpreter(goal.python):
        byte_code.compile_modules(into / "packages", command, PACKAGES)
        byte_code.compile_modules(into / "service", command, WORKPLACE)
    make_readable(into)
    # The local stack refuses a folder that others can read.
    (into / "data" / "state").mkdir(mode=0o700, parents=True)


def pins(requirements: str, goal: Target) -> str:
    """Return the pins that apply to a target, without their environment markers.

    pip would evaluate the markers for the Python that runs it.
    """
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": ARCHITECTURES[goal.architecture][0],
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{goal.python}.0",
        "python_version": goal.python,
        "sys_platform": "linux",
    }
    return "".join(
        f"{pin['name']}{pin['hashes']}"
        for pin in PIN.finditer(requirements)
        if pin["marker"] is None or Marker(pin["marker"].strip()).evaluate(environment)
    )


def make_readable(tree: Path) -> None:
    """Let everyone read all files and enter all folders, because images run as other users than the one who builds."""
    for path in (tree, *tree.rglob("*")):
        path.chmod(0o755 if path.is_dir() or ".so" in path.suffixes else 0o644)
