"""Lists processes with POSIX's ps."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from typing import NamedTuple


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    command: str


def descendants(pid: int) -> list[Process]:
    """Return all descendants of a process."""
    listed = _all()
    found: list[Process] = []
    parents = {pid}
    while children := [process for process in listed if process.parent in parents]:
        found += children
        parents = {process.pid for process in children}
    return found


def alive(pids: Iterable[int], group: int) -> list[Process]:
    """Return the given processes that still run, and all running members of a process group."""
    wanted = set(pids)
    return [process for process in _all() if process.pid in wanted or process.group == group]


def _all() -> list[Process]:
    """Return all processes except zombies, which have ended and wait for their parent to read the exit status."""
    columns = [f"-o{column}=" for column in ("pid", "ppid", "pgid", "stat", "args")]
    lines = subprocess.run(
        ["ps", "-A", "-ww", *columns], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    rows = [line.split(maxsplit=4) for line in lines]
    return [Process(int(r[0]), int(r[1]), int(r[2]), r[4]) for r in rows if len(r) == 5 and not r[3].startswith("Z")]
