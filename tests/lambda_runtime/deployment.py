"""The function and its layers, unpacked for this machine as on Lambda."""

from __future__ import annotations

import fcntl
import hashlib
import platform
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.deploy.layers import __main__ as layers
from infra.deploy.layers import byte_code, installation
from infra.deploy.layers.target import AMAZON_LINUX_2023, ARCHITECTURES, Target
from infra.deploy.package import function
from tests.packs import deployed_pack

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "lambda"
PINNED = ROOT / "tests" / "requirements.txt"
# The deployed Python version.
PREFERRED = "3.13"
# The runtime client and its dependencies.
RUNTIME_PACKAGES = ("awslambdaric", "simplejson", "snapshot-restore-py")
# Packages that AWS provides too, in releases of its own choice. The function must not import them.
RUNTIME_SDK = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")


@dataclass(frozen=True, slots=True)
class Deployment:
    """Folders to mount at /opt (the layers), /var/task (the function) and /var/runtime (AWS's packages).

    `python` is the command of the Python they are built for, and `version` its minor version.
    """

    python: Sequence[str]
    version: str
    opt: Path
    task: Path
    runtime: Path


def supported() -> bool:
    """Return whether layers for Lambda can run on this machine."""
    return platform.system() == "Linux" and platform.machine() in {wheel for wheel, _ in ARCHITECTURES.values()}


def own_target() -> tuple[Target, Sequence[str]]:
    """Return this machine as a target like Amazon Linux 2023, and the command of its Python: 3.13 if available."""
    architectures = {wheel: architecture for architecture, (wheel, _) in ARCHITECTURES.items()}
    command = byte_code.interpreter(PREFERRED)
    version = PREFERRED if command else "{}.{}".format(*sys.version_info[:2])
    return Target(architectures[platform.machine()], version, AMAZON_LINUX_2023), [command or sys.executable]


@contextmanager
def deployed(goal: Target, python: Sequence[str]) -> Iterator[Deployment]:
    """Package the function in its current state. Layers are kept in build/ until their inputs change.

    Raises
    ------
    IndexUnreachableError
        If the layers must be built and the package index does not answer.
    """
    kept = _kept(goal)
    with TemporaryDirectory(prefix="face-search-function-") as work:
        _unpack(function.build(Path(work), goal.python), Path(work) / "task")
        yield Deployment(python, goal.python, kept / "opt", Path(work) / "task", kept / "runtime")


def _kept(goal: Target) -> Path:
    """Return the folder in build/ with the target's `opt` and `runtime`, and create it if it is missing.

    The layers are not zipped, because that takes as long as everything else and unpacking gives the same folders.
    """
    BUILD.mkdir(parents=True, exist_ok=True)
    folder = BUILD / f"{goal.architecture}-{_digest(goal)}"
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # several processes run tests concurrently
        if not folder.is_dir():
            for outdated in BUILD.glob(f"{goal.architecture}-*/"):
                shutil.rmtree(outdated)
            with TemporaryDirectory(dir=BUILD) as work:
                made = Path(work) / "made"
                layers.install_dependencies(goal, made / "opt" / "python")
                layers.copy_packs([deployed_pack().folder], made / "opt" / "models")
                _install_runtime(goal, made / "runtime", Path(work) / "runtime.txt")
                made.rename(folder)
    return folder


def _digest(goal: Target) -> str:
    """Return a digest of all inputs of the layers and the runtime."""
    inputs = [layers.REQUIREMENTS, PINNED, deployed_pack().folder / "card.toml", Path(__file__)]
    inputs += sorted(Path(layers.__file__).parent.glob("*.py"))
    parts = [f"{goal} {byte_code.interpreter(goal.python)}".encode(), *(path.read_bytes() for path in inputs)]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def _install_runtime(goal: Target, tree: Path, requirements: Path) -> None:
    """Install the pinned release of the runtime client, compiled as in AWS's images, beside an SDK that fails."""
    pins = re.findall(r"^[a-z0-9-]+==.*(?:\n +--hash.*)+\n", PINNED.read_text(), re.MULTILINE)
    requirements.write_text("".join(pin for pin in pins if pin.partition("==")[0] in RUNTIME_PACKAGES))
    installation.install(requirements, goal, tree)
    for name in RUNTIME_SDK:
        (tree / name).mkdir()
        (tree / name / "__init__.py").write_text('raise ImportError("this is the SDK of the runtime")\n')
    if command := byte_code.interpreter(goal.python):
        byte_code.compile_modules(tree, command)


def _unpack(path: Path, into: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        archive.extractall(into)
