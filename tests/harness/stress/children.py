"""The processes of a run, which end with the run in any case."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from types import TracebackType

# Forked from a server with all modules and no threads, so a new process takes milliseconds.
_PRELOAD = [f"tests.harness.stress.{module}" for module in ("writer", "reader", "compactor", "indexer", "final_check")]

# The exit code of a process killed by SIGKILL.
KILLED = -signal.SIGKILL


class Children:
    """Named processes; a new process replaces an ended one of the same name."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(_PRELOAD)
        self._running: dict[str, ForkServerProcess] = {}

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self._running):
            self.kill(name)

    def start(self, name: str, target: Callable[..., None], *arguments: object) -> None:
        process = self._context.Process(target=target, args=arguments, name=name, daemon=True)
        process.start()
        self._running[name] = process

    def kill(self, name: str) -> int | None:
        """Send SIGKILL; return the exit code: KILLED, unless the process had ended before."""
        process = self._running.pop(name)
        process.kill()
        process.join()
        return process.exitcode

    def running(self, kind: str) -> list[str]:
        return [name for name in self._running if name.startswith(kind)]

    def ended(self) -> dict[str, int]:
        """Return the exit codes of the processes that ended by themselves since the last call."""
        codes = {name: process.exitcode for name, process in self._running.items() if process.exitcode is not None}
        for name in codes:
            self._running.pop(name).join()
        return codes
