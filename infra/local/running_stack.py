"""How another program on this machine finds the local stack that runs on a state folder."""

from __future__ import annotations

import fcntl
import json
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class RunningStack(NamedTuple):
    """Where moto answers, and the face set's URL without its password."""

    endpoint: str
    database: str


def make_private(state: Path) -> None:
    """Create the state folder, or take an earlier one, for this user alone: it holds people's faces and names."""
    state.mkdir(parents=True, exist_ok=True)
    try:
        if state.stat().st_mode & stat.S_ISVTX:  # such as /tmp
            raise PermissionError
        state.chmod(0o700)
    except PermissionError:
        sys.exit(f"{state} is not this user's alone: choose another folder with STATE=.")


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the state folder for the block: a second stack on it is refused."""
    with (state / "lock").open("a+") as lock:
        if not _taken(lock.fileno()):
            sys.exit(f"Another local stack already uses {state}: stop it first, or choose another folder with STATE=.")
        yield


@contextmanager
def announced(state: Path, stack: RunningStack) -> Iterator[None]:
    """Tell others of the stack for the block."""
    file = state / "stack.json"
    file.write_text(json.dumps(stack._asdict()))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(state: Path) -> RunningStack | None:
    """Return the stack that runs on a state folder, or None; one that was killed has left its file but no lock."""
    make_private(state)
    with (state / "lock").open("a+") as lock:
        if _taken(lock.fileno()):
            return None
    try:
        return RunningStack(**json.loads((state / "stack.json").read_text()))
    except (OSError, ValueError):
        sys.exit(f"The local stack on {state} is starting or ending: try again in a moment.")


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
