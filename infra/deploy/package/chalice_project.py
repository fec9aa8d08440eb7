"""Runs `chalice package` on a copy of the service that has no requirements: the layers bring what it imports."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.deploy.package.errors import PackageError

ROOT = Path(__file__).parents[3]
STAGE = "packaged"
# The `chalice` of this Python, wherever its scripts are.
CHALICE = "from chalice.cli import main; raise SystemExit(main())"
# Chalice asks the SDK for a region although nothing of it reaches its template.
ANY_REGION = "us-east-1"
# Each function gets a role of its own in infra/deploy/template/roles.yaml; Chalice wants one to be named.
ROLE_TO_COME = "arn:aws:iam::000000000000:role/replaced"


def package(work: Path, into: Path, merged: Path | None = None) -> None:
    """Let Chalice write the function's zip, deployment.zip, and the SAM template, sam.json, into a folder.

    Parameters
    ----------
    work
        A folder that is not there yet, for the copy.
    merged
        A JSON template that Chalice is to merge into its own.

    Raises
    ------
    PackageError
        With Chalice's own words.
    """
    copy(work)
    command = [sys.executable, "-c", CHALICE, "package", "--stage", STAGE, str(into.resolve())]
    if merged is not None:
        command += ["--merge-template", str(merged.resolve())]
    environment = os.environ | {"AWS_DEFAULT_REGION": ANY_REGION, "PYTHONDONTWRITEBYTECODE": "1"}
    chalice = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True, check=False)
    if chalice.returncode:
        raise PackageError(f"chalice package failed: {chalice.stderr.strip() or chalice.stdout.strip()}")


def copy(into: Path) -> None:
    """Copy what belongs into the function, and nothing that Python or an editor left there, to a new folder."""
    shutil.copytree(
        ROOT / "chalicelib", into / "chalicelib", ignore=shutil.ignore_patterns("__pycache__", ".*", "*.pyc")
    )
    shutil.copyfile(ROOT / "app.py", into / "app.py")
    config = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    # Of the stages, `local` must not come along: it has credentials of moto.
    config |= {"stages": {STAGE: {}}, "manage_iam_role": False, "iam_role_arn": ROLE_TO_COME}
    (into / ".chalice").mkdir()
    (into / ".chalice" / "config.json").write_text(json.dumps(config), encoding="utf-8")
