"""A short run of each fuzz target finds nothing; `make hostile` is the long one."""

from __future__ import annotations

import importlib.util
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import absent
from tests.harness.hostile.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
RUNS = {"picture": 400, "body": 2_000}
SEED = 20261126


@pytest.fixture(autouse=True)
def _atheris() -> None:
    if importlib.util.find_spec("atheris") is not None:
        return
    machine = platform.machine()
    here = f"{sys.platform}, {machine}, Python {sys.version_info.major}.{sys.version_info.minor}"
    if sys.platform == "linux" and machine == "x86_64" and sys.version_info < (3, 14):
        absent(f"atheris is not installed; {here}")
    pytest.skip(f"there is no atheris for {here}")


@pytest.mark.parametrize("target", TARGETS)
def test_fuzzing_finds_nothing(target: str, tmp_path: Path) -> None:
    done = _fuzz(target, RUNS[target], tmp_path)

    assert done.returncode == 0, done.stderr[-5_000:]
    # libFuzzer may try a few more inputs than it was asked to.
    [runs] = re.findall(r"^Done (\d+) runs", done.stderr, re.MULTILINE)
    assert int(runs) >= RUNS[target]
    # It is guided: inputs that reach more code than those it began with were kept.
    assert re.search(r"stat::new_units_added:\s+[1-9]", done.stderr)


def test_what_the_contract_does_not_allow_is_found(tmp_path: Path) -> None:
    """The targets can fail: one is given a service that tells another code."""
    broken = "import chalicelib.errors as e; e.upload_error = lambda detail: e.ServiceError('1003', 500, detail)"
    done = _fuzz("body", RUNS["body"], tmp_path, first=broken)

    assert done.returncode != 0
    assert "ServiceError: 1003" in done.stdout + done.stderr
    assert list(tmp_path.glob("body-crash-*"))


def _fuzz(target: str, runs: int, into: Path, first: str = "") -> subprocess.CompletedProcess[str]:
    arguments = [target, "--runs", str(runs), "--seed", str(SEED), "--into", str(into)]
    command = [sys.executable, "-m", "tests.harness.hostile.fuzz", *arguments]
    if first:
        module = "tests.harness.hostile.fuzz"
        program = f"{first}\nimport sys, runpy; runpy.run_module('{module}', run_name='__main__', alter_sys=True)"
        command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace", check=False)
