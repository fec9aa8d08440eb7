"""`make check` fails on a known vulnerability and reports an unreachable service. A test server replaces osv.dev."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from infra.audit import URL
from tests.services import free_port

ROOT = Path(__file__).parents[2]
PINNED = f"harmless==1.0 --hash=sha256:{'0' * 64}\nharmful==2.0 --hash=sha256:{'1' * 64}\n"
KNOWN = {
    "id": "GHSA-0000-0000-0000",
    "summary": "It does harm",
    "affected": [
        {
            "package": {"name": "harmful", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]}],
        }
    ],
}


class Advisories(ThreadingHTTPServer):
    """A vulnerability service that knows vulnerabilities of some packages and fails for the packages in `failing`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.vulnerable: set[str] = set()
        self.failing: set[str] = set()
        self.asked: list[tuple[str, str]] = []


class _Handler(BaseHTTPRequestHandler):
    server: Advisories

    def do_POST(self) -> None:
        question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        name = question["package"]["name"]
        self.server.asked.append((name, question["version"]))
        answer: dict[str, Any] = {"vulns": [KNOWN]} if name in self.server.vulnerable else {}
        self.send_response(500 if name in self.server.failing else 200)
        self.end_headers()
        self.wfile.write(json.dumps(answer).encode())

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def advisories() -> Iterator[Advisories]:
    with Advisories() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def pinned(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text(PINNED)
    return file


def audit(file: Path, port: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "infra.audit", str(file)],
        cwd=ROOT,
        env={**os.environ, URL: f"http://127.0.0.1:{port}/v1/query", "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_known_vulnerabilities(advisories: Advisories, pinned: Path) -> None:
    done = audit(pinned, advisories.server_port)

    assert done.returncode == 0, done.stdout + done.stderr
    assert {("harmless", "1.0"), ("harmful", "2.0")} <= set(advisories.asked)
    assert "NOTHING WAS AUDITED" not in done.stdout


def test_a_known_vulnerability(advisories: Advisories, pinned: Path) -> None:
    advisories.vulnerable = {"harmful"}

    done = audit(pinned, advisories.server_port)

    assert done.returncode == 1, done.stdout + done.stderr
    assert "GHSA-0000-0000-0000" in done.stdout


def test_a_service_that_fails_after_it_was_reached(advisories: Advisories, pinned: Path) -> None:
    advisories.failing = {"harmless"}

    assert audit(pinned, advisories.server_port).returncode != 0


def test_an_unreachable_service(pinned: Path) -> None:
    done = audit(pinned, free_port())

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("NOTHING WAS AUDITED: the advisories at http://127.0.0.1:")


def test_a_service_that_refuses_every_request(advisories: Advisories, pinned: Path) -> None:
    """As behind a proxy that refuses every connection."""
    advisories.failing = {"pip"}

    done = audit(pinned, advisories.server_port)

    assert done.returncode == 0
    assert "NOTHING WAS AUDITED" in done.stdout
    assert [name for name, _ in advisories.asked] == ["pip"]
