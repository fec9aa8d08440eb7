"""Copies the checkout, and runs tests in a copy."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.harness.mutants.fault import ROOT

# The built model packs and the sibling folder with test data, which git does not track.
BUILT, SHARED = Path("models/build"), "shared"
# How long an interrupted run may take to stop the servers that it started.
CLEANUP_SECONDS = 20

_PASSED, _FAILED = 0, 1
_NAMED = re.compile(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", re.MULTILINE)


class Run(NamedTuple):
    """The result of one run of pytest.

    `code` is pytest's exit status, or None after the time limit. `by` is the first test that failed, or "".
    """

    code: int | None
    by: str
    passed: bool
    seconds: float
    output: str

    @property
    def failed(self) -> bool:
        """Whether a test failed or hung; False also when the tests could not be collected."""
        return self.code in (_FAILED, None)

    @property
    def error(self) -> bool:
        """Whether pytest could not collect or run the tests."""
        return self.code not in (_PASSED, _FAILED, None)


def copy_working_tree(into: Path) -> Path:
    """Copy the working tree's files, except ignored ones, to `into`/checkout; return that folder.

    The virtual environment is linked. The model packs are hard-linked file by file, because a fault in `models` makes
    the tests build packs again: this must not replace the packs of the working tree.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    checkout = into / "checkout"
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():  # otherwise it is deleted but not committed
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout / name, follow_symlinks=False)
    _link_around(checkout, ROOT / BUILT)
    return checkout


def copy_of(checkout: Path, into: Path) -> Path:
    """Copy a copy, with its byte code and the packs that were built in it; return the new folder."""
    copied = into / "checkout"
    shutil.copytree(checkout, copied, symlinks=True, ignore=_untracked)
    _link_around(copied, checkout / BUILT)
    return copied


def run_tests(checkout: Path, tests: Sequence[str], *, limit: float, worker: int = 0) -> Run:
    """Run tests in a copy until the first failure.

    Parameters
    ----------
    limit
        The time limit in seconds.
    worker
        A number that simultaneous runs do not share: it chooses the ports that tests listen on.
    """
    options = ["-x", "-q", "-p", "no:xdist", "-m", "not long", "--hypothesis-seed=0"]
    command = [str(checkout / ".venv" / "bin" / "python"), "-m", "pytest", *options, *tests]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.monotonic()
    with subprocess.Popen(
        command,
        cwd=checkout,
        env={**environment, "PYTEST_XDIST_WORKER": f"gw{worker}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as process:
        code, output = _finished(process, limit)
    named = _NAMED.search(output)
    passed = re.search(r"\b\d+ passed\b", output) is not None
    return Run(code, named[1] if named else "", passed, time.monotonic() - started, output)


def _finished(process: subprocess.Popen[str], limit: float) -> tuple[int | None, str]:
    """Return the exit status and the output, or None and no output after the time limit."""
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.communicate(timeout=CLEANUP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        return None, ""
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    return process.returncode, output


def _link_around(checkout: Path, built: Path) -> None:
    (checkout / ".venv").symlink_to((ROOT / ".venv").resolve())
    shared = ROOT.parent / SHARED
    if shared.is_dir():
        (checkout.parent / SHARED).symlink_to(shared.resolve())
    if built.is_dir():
        shutil.copytree(built, checkout / BUILT, symlinks=True, copy_function=_hard_link)


def _hard_link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _untracked(folder: str, names: list[str]) -> set[str]:
    """Return what `_link_around` adds, and what test runs leave behind, except byte code."""
    left_out = {".venv", ".hypothesis", ".pytest_cache"}
    return {name for name in names if name in left_out or Path(folder, name).match(f"*/{BUILT}")}
