"""`python -m infra.audit`: has any pinned package a vulnerability that the advisories of osv.dev know?

pip-audit asks, and installs nothing. Where the service cannot be reached, nothing was audited: that is said, and is no
failure, as `make check` has to work without a network. Whatever goes wrong once it was reached is one.
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
# All that is pinned: what runs, is deployed, tests and measures.
REQUIREMENTS = (
    "requirements.txt",
    "infra/requirements.txt",
    "tests/requirements.txt",
    "tests/harness/benchmarks/requirements.txt",
)
URL = "PIP_AUDIT_OSV_URL"
"""The variable of the environment that names another service with the interface of osv.dev, to pip-audit too."""
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
    """Return why a question that has an answer gets none."""
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
