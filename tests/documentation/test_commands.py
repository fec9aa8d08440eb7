"""Every documented command is run here as written, or another test runs the code behind it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.documentation.commands import DOCUMENTS, ROOT, TUTORIALS, Command, commands, targets_in_prose
from tests.services import free_port

MAX_START_SECONDS = 120.0
TOKEN = re.compile(r"\b[A-Za-z0-9]{24}\b")

# Commands that a reader runs beside `make run`, in a copy of the project.
RUN = re.compile(
    r"curl .*localhost|make (compact|reconcile|migrate|discard|re-embed PACK=dlib|(export|import) FILE=\S+)$"
)
# Tests for the other commands, which take too long, need more than this machine, or are this very run.
ELSEWHERE = {
    r"make run$": "tests/documentation/test_commands.py",
    r"make run DATABASE_URL=|make stack$|\S+/chalice local": "tests/e2e/test_local_stack.py",
    r"make test$|make test-all$|make check$": ".ci/run",
    r"make mutants": "tests/unit/test_mutants.py",
    r"make bench$": "tests/harness/benchmarks/peers/run.py",
    r"make re-embed PACK=retail-0095": "tests/e2e/test_re_embed.py",
    r"make accuracy|python -m models.accuracy": "tests/models/accuracy/test_command.py",
    r"make layers": "tests/layers/test_build.py",
    r"make package": "tests/template/test_package.py",
    r"make image|docker (build|run|exec|cp|tag|push) |aws ecr ": "tests/image/test_dockerfile.py",
    r"(AWS_REGION=\S+ )?make (deploy|destroy)|git pull && make deploy": "tests/deploy/test_deploy.py",
    r"make rollback": "tests/deploy/test_versions.py",
    r"\S+ -m infra\.deploy\.smoke": "tests/deploy/test_smoke.py",
    r"\S+ -m infra\.deploy\.release_files": "tests/deploy/test_release_files.py",
    # Commands against AWS itself. No test runs them, as the document says.
    r"curl .*execute-api|aws (rds|lambda invoke|s3vectors|apigateway|s3 sync|s3 cp) ": "docs/deploying.md",
    r"cp \.local/sample\.jpg \.local/incoming/": "tests/documentation/test_incoming.py",
    r"mariadb(-dump)? |echo |cp -a |rm -rf ": "tests/e2e/test_backup.py",
    r"make fuzz$": "tests/specification/test_fuzz.py",
    r"make hostile$": "tests/unit/test_hostile_pictures.py",
    r"make run GALLERY=s3vectors": "tests/e2e/test_reconcile.py",
    r"make rebuild-index": "tests/e2e/test_reconcile.py",
    r"make screenshot$": "tests/browser/screenshot.py",
    r"make test-arm64": "tests/lambda_runtime/arm64.py",
    r"make import .*DATABASE_URL=mysql": "tests/integration/transfer/test_transfer.py",
    r"pip install \./infra/cli|python3 -m venv ": "tests/cli/test_commands.py",
    r"face-search |PYTHONPATH=infra/cli \S+ -m face_search_cli": "tests/cli/test_documentation.py",
    r"\S+ -m tests\.harness\.load\.run": "tests/e2e/test_load.py",
    r"\S+ -m tests\.harness\.load\.memory": "tests/e2e/test_memory_leaks.py",
    r"\S+ -m tests\.harness\.faults\.run": "tests/e2e/test_faults.py",
    r"\S+ -m tests\.harness\.benchmarks\.cold_start": "tests/harness/benchmarks/cold_start.py",
    r"\S+ -m tests\.documentation\.quotes": "tests/documentation/test_pages.py",
    r"\S+ -m tests\.harness\.benchmarks\.transfer": "tests/harness/benchmarks/transfer.py",
}

ALL = [command for document in DOCUMENTS for command in commands(document)]


def test_every_command_is_accounted_for() -> None:
    unknown = [
        str(command)
        for command in ALL
        if not RUN.match(command.text) and not any(re.match(pattern, command.text) for pattern in ELSEWHERE)
    ]

    assert unknown == []


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_the_tests_of_other_commands_exist(pattern: str) -> None:
    assert (ROOT / ELSEWHERE[pattern]).is_file()
    assert any(re.match(pattern, command.text) for command in ALL)


@pytest.mark.parametrize("document", [*DOCUMENTS, *TUTORIALS], ids=lambda document: document.name)
def test_pip_is_run_in_an_environment(document: Path) -> None:
    """Debian, Ubuntu, Fedora and Homebrew refuse `pip install` outside one ("Externally managed environments")."""
    text = document.read_text("utf-8")
    installs = re.search(r"^ {4}pip install", text, re.MULTILINE)

    assert not installs or "bin/activate" in text[: installs.start()]


@pytest.mark.parametrize("document", [*DOCUMENTS, *TUTORIALS], ids=lambda document: document.stem)
def test_the_documented_targets_exist_in_the_makefile(document: Path) -> None:
    run = {
        match[1] for command in commands(document) if (match := re.search(r"\bmake ([a-z][a-z0-9-]*)", command.text))
    }
    rules = re.findall(r"^([a-z0-9][a-z0-9 -]*):", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert run | targets_in_prose(document) <= {target for rule in rules for target in rule.split()}


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """Return a copy of the project with `make run` running, and the environment for commands."""
    folder = tmp_path_factory.mktemp("newcomer")
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    shutil.copytree(ROOT / "models" / "build", folder / "models" / "build", symlinks=True)
    port = free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MAKE"))}
    environment |= {"PORT": str(port), "NO_PROXY": "localhost,127.0.0.1"}
    with (folder / "run.log").open("wb") as log:
        run = subprocess.Popen(
            ["make", "run"], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        _wait(f"http://localhost:{port}/health", run, folder / "run.log")
        yield folder, environment
    finally:
        os.killpg(run.pid, signal.SIGTERM)
        run.wait(120)


def test_commands_work_beside_a_running_service(newcomer: tuple[Path, dict[str, str]]) -> None:
    folder, environment = newcomer
    token = ""
    tried: list[Command] = [command for command in ALL if RUN.match(command.text)]
    assert len(tried) >= 10
    assert len([command for command in tried if command.document == "README.md" and command.shown]) == 3
    for command in tried:
        text = TOKEN.sub(token, command.text) if token else command.text
        text = text.replace("localhost:8000", f"localhost:{environment['PORT']}")
        done = subprocess.run(
            ["bash", "-c", text.replace("curl ", "curl -sS ", 1)],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        if text.startswith("curl"):
            reply = json.loads(done.stdout)
            assert reply["success"] is True, f"{command}\n{done.stdout}"
            if "/detect" in text:
                token = reply["faces"][0]["face_token"]
            if command.shown:
                assert _alike(command.shown, done.stdout), f"{command}\n{done.stdout}"
            if "/search" in text:
                assert [match["face_name"] for match in reply["cmp_result"]] == ["Ada"]


def _alike(shown: str, output: str) -> bool:
    """Return whether an output has all parts of the shown one in order, apart from `…`, tokens and numbers."""
    parts, place = _plain(shown).split("…"), 0
    for part in parts:
        place = _plain(output).find(part, place)
        if place < 0:
            return False
        place += len(part)
    return True


def _plain(text: str) -> str:
    return re.sub(r"[0-9.]+", "0", TOKEN.sub("token", text)).replace(" ", "").strip()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + MAX_START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        try:
            if requests.get(url, timeout=1).ok:
                return
        except requests.RequestException:
            time.sleep(0.1)
