"""Installs the pinned packages for a target that is not this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infra.deploy.layers.errors import IndexUnreachableError, LayerError
from infra.deploy.layers.target import Target

# pip says this, in English always, each time that a connection fails.
CONNECTION_FAILED = "Retrying ("


def install(requirements: Path, target: Target, into: Path) -> None:
    """Unpack the target's wheels of all that `requirements` pins, proven by its hashes, into a folder.

    The file is complete, so pip resolves nothing. It must have no environment markers: pip would read them for the
    Python it runs on.

    Raises
    ------
    LayerError
        When a package has no wheel that runs on the target, its hash is not the pinned one, or there is a marker.
    IndexUnreachableError
        When the package index does not answer.
    """
    if marked := [line for line in requirements.read_text("utf-8").splitlines() if " ; " in line]:
        raise LayerError(f"{requirements.name} has environment markers, which are not for the target: {marked[0]}")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--target", str(into), "--no-compile", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", target.python, "--abi", _abi(target)]
    command += [f"--platform={platform}" for platform in target.platforms]
    pip = subprocess.run([*command, "-r", str(requirements)], capture_output=True, text=True, check=False)
    if pip.returncode == 0:
        return
    reasons = [line.removeprefix("ERROR: ") for line in pip.stderr.splitlines() if line.startswith("ERROR: ")]
    if CONNECTION_FAILED in pip.stderr:
        raise IndexUnreachableError(f"the package index cannot be reached: {'; '.join(reasons)}")
    raise LayerError(
        f"{requirements.name} cannot be installed for {target}, glibc {'.'.join(map(str, target.provides['GLIBC']))}: "
        f"{'; '.join(reasons) or pip.stderr.strip()}. Only wheels are taken: pin a version that has one for it, or "
        "choose another RUNTIME= or ARCH="
    )


def _abi(target: Target) -> str:
    return f"cp{target.python.replace('.', '')}"
