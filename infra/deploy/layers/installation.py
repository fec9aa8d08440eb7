"""Installs the pinned packages for a target other than this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infra.deploy.layers.errors import IndexUnreachableError, LayerError
from infra.deploy.layers.target import Target

# pip prints this, always in English, whenever a connection fails.
CONNECTION_FAILED = "Retrying ("


def install(requirements: Path, target: Target, into: Path) -> None:
    """Install the target's wheels of all packages that `requirements` pins into a folder, and verify their hashes.

    The file lists every dependency, so pip resolves nothing. It must have no environment markers, because pip would
    evaluate them for the Python that runs pip.

    Raises
    ------
    LayerError
        When a package has no wheel for the target, a hash differs from the pinned one, or there is a marker.
    IndexUnreachableError
        When the package index does not answer.
    """
    if marked := [line for line in requirements.read_text("utf-8").splitlines() if " ; " in line]:
        raise LayerError(
            f"{requirements.name} has environment markers, which pip cannot evaluate for the target: {marked[0]}"
        )
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
        f"{'; '.join(reasons) or pip.stderr.strip()}. Only wheels are accepted: pin a version with a wheel for this "
        "target, or choose another RUNTIME= or ARCH="
    )


def _abi(target: Target) -> str:
    return f"cp{target.python.replace('.', '')}"
