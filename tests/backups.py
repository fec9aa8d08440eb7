"""Run docs/runbook.md's backup commands as written, on a test's own database or folder."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from tests.documentation.commands import ROOT, commands


class Dump:
    """A dump of a MySQL database, with a root user that has no password.

    Parameters
    ----------
    url
        The database's URL.
    folder
        The folder for the dump.
    """

    def __init__(self, url: str, folder: Path) -> None:
        self._url = url
        self._folder = folder

    def make(self) -> None:
        self._run("mariadb-dump |echo ")

    def put_back(self) -> None:
        """Drop the database and restore it from the dump."""
        self._run("mariadb ")

    def _run(self, pattern: str) -> None:
        match = re.fullmatch(r"mysql://root@([\d.]+):(\d+)/(\w+)", self._url)
        assert match is not None
        host, port, name = match.groups()
        for text in documented(pattern):
            here = re.sub(r"\bface_search\b(?!\.sql)", name, text)
            run(re.sub(r"^mariadb(-dump)?", rf"\g<0> -h {host} -P {port} -u root", here), self._folder)


def can_dump() -> bool:
    return bool(shutil.which("mariadb") and shutil.which("mariadb-dump"))


def documented(pattern: str) -> list[str]:
    """Return the runbook's commands that begin with a pattern, in order."""
    found = [c.text for c in commands(ROOT / "docs" / "runbook.md") if re.match(pattern, c.text)]
    assert found
    return found


def run(text: str, folder: Path) -> None:
    done = subprocess.run(["bash", "-c", text], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{text}\n{done.stderr}"
