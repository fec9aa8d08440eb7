"""Runs the code of the previous release, from the history, in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.local_stack import ROOT

# The last commit before the newest migration. Once there is a release, its newest tag takes its place.
BEFORE_THE_NEWEST_MIGRATION = "689211494fa3015a8c30681f248703ba4851667a^"
FOLDERS = (".chalice", "app.py", "chalicelib", "infra", "models", "tests")
# Uses the release's own client of its API. Answers each line of standard input with a line.
PROGRAM = """
import json, sys
from chalicelib import wiring
from chalicelib.maintenance import operations
from tests.e2e import pictures
from tests.e2e.lambda_api import handler

database_url, table, bucket = sys.argv[1:]
with handler(table, bucket, database_url, "memory") as api:
    for line in sys.stdin:
        method, arguments = json.loads(line)
        if method in ("migrate", "compact"):
            answer = getattr(operations, method)(wiring.wiring())
        elif method == "restart":
            answer = wiring.reset()
        elif method == "added":
            answer = api.added(getattr(pictures, arguments[0])(), arguments[1])
        elif method == "found":
            answer = [face["face_name"] for face in api.search_picture(getattr(pictures, arguments[0])())["cmp_result"]]
        elif method == "listed":
            answer = sorted(face["face_name"] for face in api.get("/faces").body["faces"])
        elif method == "rename":
            answer = api.put("/faces/" + arguments[0], face_name=arguments[1]).status
        else:
            answer = api.remove(arguments[0])["success"]
        print(json.dumps(answer), flush=True)
"""


def commit() -> str:
    """Return the previous release's commit. Skip the test in a clone without it, such as a shallow one."""
    tags = _git("tag", "--list", "v*", "--sort=-version:refname", "--merged", "HEAD^")
    newest = [*(tags or b"").decode().split(), BEFORE_THE_NEWEST_MIGRATION][0]
    found = _git("rev-parse", "--verify", "--quiet", f"{newest}^{{commit}}")
    if not found:
        pytest.skip("the history does not have the previous release: fetch the whole repository")
    return found.decode().strip()


def unpack(into: Path) -> Path:
    """Write the previous release's code into a new folder, with this checkout's built model packs."""
    archive = _git("archive", commit(), *FOLDERS)
    assert archive is not None
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(into, filter="data")
    (into / "models" / "build").symlink_to(ROOT / "models" / "build")
    return into


def _git(*arguments: str) -> bytes | None:
    """Return what git prints; None if it fails or is missing."""
    try:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


class PreviousRelease:
    """A process that runs the code in a folder on the given stores. `restart` does what a new container does."""

    def __init__(self, folder: Path, database_url: str, table: str, bucket: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONSAFEPATH"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, database_url, table, bucket],
            cwd=folder,
            env=environment | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def call(self, method: str, *arguments: str) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([method, arguments]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"{method} failed"
        return json.loads(answer)

    def close(self) -> None:
        self._process.communicate()
