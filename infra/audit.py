"""`python -m infra.audit`: checks the pinned packages for vulnerabilities listed by osv.dev.

pip-audit queries osv.dev and installs nothing. If osv.dev cannot be reached, the command says that nothing was audited
and succeeds, because `make check` must work without a network. Any later error is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import requests
from pip_audit._service import OsvService

ROOT = Path(__file__).parents[1]
# All pinned packages: for the function, local runs and deployment, tests, and benchmarks.
REQUIREMENTS = (
    "requirements.txt",
    "infra/requirements.txt",
    "infra/deploy/layers/identity-requirements.txt",
    "tests/requirements.txt",
    "tests/harness/benchmarks/requirements.txt",
)
URL = "PIP_AUDIT_OSV_URL"
"""The environment variable that names another service with osv.dev's interface; pip-audit reads it too."""
TIMEOUT_SECONDS = 3


def main(files: Sequence[str]) -> int:
    url = os.environ.get(URL, OsvService.DEFAULT_OSV_URL)
    if reason := _unreachable(url):
        print(f"NOTHING WAS AUDITED: the advisories at {url} cannot be reached ({reason}).")
        return 0
    command = [sys.executable, "-m", "pip_audit", "--vulnerability-service", "osv", "--require-hashes", "--disable-pip"]
    command += ["--timeout", str(TIMEOUT_SECONDS), "--progress-spinner", "off"]
    for file in files:
        command += ["-r", str(ROOT / file)]
    return subprocess.run(command, check=False).returncode


def _unreachable(url: str) -> str | None:
    """Return why a known-good query fails; None if the service answers."""
    question = {"package": {"name": "pip", "ecosystem": "PyPI"}, "version": "0.1"}
    try:
        reply = requests.post(url, json=question, timeout=TIMEOUT_SECONDS)
        reply.raise_for_status()
        reply.json()
    except requests.RequestException as error:
        return type(error).__name__
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or REQUIREMENTS))
