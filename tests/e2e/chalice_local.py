"""Chalice's own local server, `chalice local`, as a process."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import MAX_START_SECONDS, ROOT, environment
from tests.services import free_port


@contextmanager
def chalice_local(folder: Path, database_url: str, moto_port: int) -> Iterator[HttpApi]:
    """Serve the app's local stage on a free port, with its log in `folder` and the stack's services at `moto_port`."""
    port, project = free_port(), _project(folder / "project", moto_port)
    log = folder / "chalice.log"
    program = Path(sys.executable).with_name("chalice")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "local", "--stage", "local", "--port", str(port), "--no-autoreload"],
            cwd=project,
            env=environment(DATABASE_URL=database_url),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        api = HttpApi(port)
        end = time.monotonic() + MAX_START_SECONDS
        while not _serves(api):
            assert process.poll() is None, log.read_text(encoding="utf-8")
            assert time.monotonic() < end, log.read_text(encoding="utf-8")
            time.sleep(0.05)
        yield api
    finally:
        process.terminate()
        process.wait()


def _project(folder: Path, moto_port: int) -> Path:
    """Make a folder that is the project, except that its configuration has another port for the AWS services."""
    (folder / ".chalice").mkdir(parents=True)
    for entry in ROOT.iterdir():
        if entry.name not in (".chalice", ".git"):
            (folder / entry.name).symlink_to(entry)
    config = (ROOT / ".chalice" / "config.json").read_text()
    assert config.count(":5566") == 1
    (folder / ".chalice" / "config.json").write_text(config.replace(":5566", f":{moto_port}"))
    return folder


def _serves(api: HttpApi) -> bool:
    try:
        return api.get("/health").status == 200
    except requests.ConnectionError:
        return False
