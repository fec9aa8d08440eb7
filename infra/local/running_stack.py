"""Finds the local stack that runs on a state folder, and keeps a second one off it."""

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
    """moto's endpoint, and the face set's database URL without its password."""

    endpoint: str
    database: str


def make_private(state: Path) -> None:
    """Create the state folder if needed and make it private to this user: it holds people's faces and names."""
    state.mkdir(parents=True, exist_ok=True)
    try:
        if state.stat().st_mode & stat.S_ISVTX:  # such as /tmp
            raise PermissionError
        state.chmod(0o700)
    except PermissionError:
        sys.exit(f"{state} is shared with other users: choose another folder with STATE=.")


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Lock the state folder for the block; exit if another stack has locked it."""
    with (state / "lock").open("a+") as lock:
        if not _taken(lock.fileno()):
            sys.exit(f"Another local stack already uses {state}: stop it first, or choose another folder with STATE=.")
        yield


@contextmanager
def announced(state: Path, stack: RunningStack) -> Iterator[None]:
    """Publish the stack in stack.json for the block, so that other programs find it."""
    file = state / "stack.json"
    file.write_text(json.dumps(stack._asdict()))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


def find(state: Path) -> RunningStack | None:
    """Return the stack that runs on a state folder, or None. A killed stack leaves its file but no lock."""
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
