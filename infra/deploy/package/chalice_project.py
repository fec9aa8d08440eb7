"""Runs `chalice package` on a copy of the service without requirements, because the layers have the dependencies."""

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
# Runs the `chalice` command of this Python, wherever its scripts are.
CHALICE = "from chalice.cli import main; raise SystemExit(main())"
# Chalice asks the SDK for a region but does not use it in the template.
ANY_REGION = "us-east-1"
# A placeholder, because Chalice requires a role. infra/deploy/template/roles.yaml gives each function its own role.
ROLE_TO_COME = "arn:aws:iam::000000000000:role/replaced"


def package(work: Path, into: Path, merged: Path | None = None) -> None:
    """Write the function's zip, deployment.zip, and the SAM template, sam.json, into a folder with Chalice.

    Parameters
    ----------
    work
        A folder for the copy; it must not exist yet.
    merged
        A JSON template that Chalice merges into its own.

    Raises
    ------
    PackageError
        With Chalice's own message.
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
    """Copy the function's files to a new folder, without the files that Python or an editor left."""
    shutil.copytree(
        ROOT / "chalicelib", into / "chalicelib", ignore=shutil.ignore_patterns("__pycache__", ".*", "*.pyc")
    )
    shutil.copyfile(ROOT / "app.py", into / "app.py")
    config = json.loads((ROOT / ".chalice" / "config.json").read_text(encoding="utf-8"))
    # Without the stage `local`, which has moto's credentials.
    config |= {"stages": {STAGE: {}}, "manage_iam_role": False, "iam_role_arn": ROLE_TO_COME}
    (into / ".chalice").mkdir()
    (into / ".chalice" / "config.json").write_text(json.dumps(config), encoding="utf-8")
