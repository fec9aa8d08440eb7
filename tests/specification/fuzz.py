"""Send the running service requests that the document allows, and some that it forbids: `make fuzz`."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, local_stack


def fuzz(port: int, folder: Path, *, examples: int, seed: int | None) -> subprocess.CompletedProcess[str]:
    """Run schemathesis with all its checks, and write its reports to a folder."""
    token = HttpApi(port).added(pictures.astronaut(), "Ada")
    program = Path(sys.executable).with_name("schemathesis")
    command = [str(program), "run", f"http://127.0.0.1:{port}/openapi.json", "--max-examples", str(examples)]
    if seed is not None:
        command += ["--seed", str(seed)]
    return subprocess.run(
        [*command, "--checks", "all", "--continue-on-failure", "--no-color"],
        cwd=folder,
        env={
            **os.environ,
            "NO_PROXY": "127.0.0.1",
            "PYTHONPATH": str(ROOT),
            "SCHEMATHESIS_HOOKS": "tests.specification.fuzz_hooks",
            "KNOWN_TOKEN": token,
        },
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="requests of each kind per operation")
    parser.add_argument("--seed", type=int, help="the seed of an earlier run, to repeat that run")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, local_stack(Path(folder, "state")) as stack:
        done = fuzz(stack.port, Path(folder), examples=arguments.examples, seed=arguments.seed)
    sys.stdout.write(done.stdout + done.stderr)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
