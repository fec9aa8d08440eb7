"""Creates the peers' environment if it is missing: some 8 GB, because PyPI's torch includes CUDA on x86_64."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[3] / "build" / "peers"


def interpreter() -> Path:
    """Return the Python of an environment with the packages in requirements.txt and packages.txt."""
    wanted = hashlib.sha256(b"".join((HERE / f"{name}.txt").read_bytes() for name in ("requirements", "packages")))
    mark, python = FOLDER / "made-from", FOLDER / "bin" / "python"
    if mark.is_file() and mark.read_text() == wanted.hexdigest():
        return python
    print(f"Installing the peers into {FOLDER} ...", flush=True)
    venv.create(FOLDER, with_pip=True, clear=True)
    _install(python, "--requirement", str(HERE / "requirements.txt"))
    # facenet-pytorch requires a torch of 2024, and face_recognition a dlib that must be compiled.
    _install(python, "--no-deps", "--no-build-isolation", "--requirement", str(HERE / "packages.txt"))
    mark.write_text(wanted.hexdigest())
    return python


def _install(python: Path, *what: str) -> None:
    command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *what]
    if subprocess.run(command, check=False).returncode != 0:
        sys.exit("The peers could not be installed: is the package index reachable, and are 8 GB free?")
