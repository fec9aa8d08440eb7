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
def chalice_local(folder: Path, database_url: str) -> Iterator[HttpApi]:
    """Serve the app's local stage on a free port, with its log in `folder`."""
    port = free_port()
    log = folder / "chalice.log"
    program = Path(sys.executable).with_name("chalice")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "local", "--stage", "local", "--port", str(port), "--no-autoreload"],
            cwd=ROOT,
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


def _serves(api: HttpApi) -> bool:
    try:
        return api.get("/health").status == 200
    except requests.ConnectionError:
        return False
