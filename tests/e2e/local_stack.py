"""Runs the local stack, `python -m infra.local`, in its own processes."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import requests

from chalicelib.settings import SETTINGS
from infra.local import running_stack
from infra.s3_vectors.installation import SEEN_PATH
from tests.e2e.http_api import TIMEOUT_SECONDS, HttpApi
from tests.e2e.processes import Process, alive, descendants
from tests.services import free_port

ROOT = Path(__file__).parents[2]
MAX_START_SECONDS = 120.0
MAX_STOP_SECONDS = 120.0
MAX_LOG_SECONDS = 60.0
# The time limit of requests in tests that do not measure time, because the machine may be slow.
PATIENCE_SECONDS = "600"


class LocalStack:
    """`run` or `stack` on its own folder, without this environment's settings except the models and the gallery.

    Use `local_stack`, which waits until the stack is up and stops it.

    Parameters
    ----------
    clone
        The folder with the service.
    options
        More options of the command.
    """

    def __init__(
        self,
        what: str,
        state: Path,
        settings: dict[str, str],
        moto_port: int | None = None,
        clone: Path = ROOT,
        options: Sequence[str] = (),
    ) -> None:
        self.port = free_port()
        self.state = state
        self._what = what
        self._log = state.with_suffix(".log")
        arguments = [
            sys.executable,
            "-m",
            "infra.local",
            what,
            *options,
            "--port",
            str(self.port),
            "--state",
            str(state),
            *(["--moto-port", str(moto_port)] if moto_port else []),
        ]
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                arguments,
                cwd=clone,
                env=environment(**settings),
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # distinguishes the stack's processes from this process's
            )
        self._children: list[Process] = []

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8")

    def logs(self, text: str) -> bool:
        """Return whether the log contains a text within MAX_LOG_SECONDS; requests are logged after their answers."""
        end = time.monotonic() + MAX_LOG_SECONDS
        while text not in self.log and time.monotonic() < end:
            time.sleep(0.01)
        return text in self.log

    @property
    def children(self) -> list[Process]:
        return descendants(self.process.pid)

    def wait_until_up(self) -> None:
        end = time.monotonic() + MAX_START_SECONDS
        while not self._is_up():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < end, self.log
            time.sleep(0.05)
        self._children = self.children

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.process.wait(MAX_STOP_SECONDS)

    def left_behind(self) -> list[Process]:
        """Return running processes of the stack: children from its start, and members of its process group."""
        return alive((child.pid for child in self._children), self.process.pid)

    def empty_watched_folder(self) -> None:
        """Delete the incoming pictures and their results, which tests share."""
        for name in ("incoming", "results"):
            for path in (self.state / name).iterdir():
                shutil.rmtree(path)

    def refused_vector_requests(self) -> list[str]:
        """Return the S3 Vectors requests since the last call that violate the service model or its limits."""
        running = running_stack.find(self.state)
        assert running is not None
        seen = requests.get(f"{running.endpoint}{SEEN_PATH}", timeout=TIMEOUT_SECONDS).json()
        return list(seen["violations"])

    def clear_away(self) -> None:
        """Kill the processes that a failed test left behind."""
        for process in self.left_behind():
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        self.process.wait()

    def _is_up(self) -> bool:
        if self._what == "stack":
            return "The stack is up." in self.log
        try:
            return HttpApi(self.port).get("/health").status == 200
        except requests.ConnectionError:
            return False


@contextmanager
def local_stack(
    state: Path,
    what: str = "run",
    moto_port: int | None = None,
    clone: Path = ROOT,
    options: Sequence[str] = (),
    /,
    **settings: str,
) -> Iterator[LocalStack]:
    """Start a stack; after the block, check that it stops cleanly, unless the block has stopped it."""
    stack = LocalStack(what, state, settings, moto_port, clone, options)
    try:
        stack.wait_until_up()
        yield stack
        if stack.process.poll() is None:
            assert stack.refused_vector_requests() == []
            assert stack.stop() == 0, stack.log
            assert stack.left_behind() == []
    finally:
        stack.clear_away()


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with some settings, and without those that would lead the app elsewhere.

    GALLERY stays: `GALLERY=s3vectors .venv/bin/python -m pytest tests/e2e` runs every test with S3 Vectors.
    """
    foreign = {setting.name for setting in SETTINGS} - {"MODEL_DIR", "GALLERY"}
    kept = {name: value for name, value in os.environ.items() if name not in foreign and not name.startswith("AWS_")}
    return {**kept, "REQUEST_SECONDS": PATIENCE_SECONDS, **settings}
