"""Runs several processes that serve one face set, like the containers of a function."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import MAX_START_SECONDS, MAX_STOP_SECONDS, ROOT, LocalStack, environment, local_stack
from tests.services import free_port


@contextmanager
def workers(number: int, folder: Path, database_url: str) -> Iterator[list[int]]:
    """Yield the ports; the first process is `make run`'s, with moto, and the others use its stores."""
    with local_stack(folder / "state", DATABASE_URL=database_url) as stack, ExitStack() as others:
        more = [
            others.enter_context(_worker(stack, folder / f"worker-{i}.log", database_url)) for i in range(1, number)
        ]
        for port, process, log in more:
            _wait_until_up(port, process, log)
        yield [stack.port, *(port for port, _, _ in more)]


@contextmanager
def _worker(stack: LocalStack, log: Path, database_url: str) -> Iterator[tuple[int, subprocess.Popen[bytes], Path]]:
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.load.worker", str(port), str(stack.state)],
            cwd=ROOT,
            env=environment(DATABASE_URL=database_url),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield port, process, log
    finally:
        process.terminate()
        process.wait(MAX_STOP_SECONDS)


def _wait_until_up(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    api, end = HttpApi(port), time.monotonic() + MAX_START_SECONDS
    while True:
        try:
            if api.get("/health").status == 200:
                return
        except requests.ConnectionError:
            assert process.poll() is None, log.read_text(encoding="utf-8")
        assert time.monotonic() < end, log.read_text(encoding="utf-8")
        time.sleep(0.05)
