"""The commands in docs/command-line.md, run in order, give the output shown there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from tests.cli.conftest import Run
from tests.e2e import pictures
from tests.e2e.local_stack import ROOT

TOKEN = re.compile(r"\b[A-Za-z0-9]{24}\b")
# Numbers that depend on the model, the clock or the machine.
VARIES = re.compile(r"[0-9]+([.:TZ-][0-9]*)*")


def examples() -> list[tuple[str, str]]:
    """Return the page's commands and their documented outputs."""
    page = (ROOT / "docs" / "command-line.md").read_text()
    found = re.findall(r"^    \$ face-search (.*)\n((?:    [^$\n].*\n)*)", page, re.MULTILINE)
    assert len(found) == page.count("$ face-search ")
    return found


def alike(text: str) -> list[str]:
    """Return the words of an output without everything that differs between runs or models."""
    return VARIES.sub("0", TOKEN.sub("<token>", text)).replace("─", "").split()


def test_the_page_shows_the_real_outputs(run: Run, folder: Path) -> None:
    for name, file in {"Eileen/1": pictures.astronaut(), "Ada": pictures.drawing(), "Cat/1": pictures.cat()}.items():
        path = folder / "people" / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file)
    present: dict[str, str] = {}
    for command, expected in examples():
        arguments = shlex.split(_with(present, command))
        code = {"compare": 1, "import": 1}.get(arguments[0], 3 if "refused" in expected else 0)
        result = run(*arguments, code=code)
        if arguments[0] != "info":  # info describes the model
            assert alike(result.stdout + result.stderr) == alike(expected), command
        if "--json" not in arguments:
            present.update(zip(TOKEN.findall(expected), TOKEN.findall(result.output), strict=True))
    assert (folder / "faces.jpg").exists()
    assert (folder / "report.csv").exists()


def test_every_command_is_on_the_page(run: Run) -> None:
    listed = re.findall(r"^  ([a-z-]+) ", run("--help").stdout.partition("Commands:")[2], re.MULTILINE)

    assert len(listed) == 13
    assert {shlex.split(command)[0] for command, _ in examples()} == set(listed)


def _with(present: dict[str, str], command: str) -> str:
    """Return a command with the page's tokens replaced by those of this run."""
    return TOKEN.sub(lambda token: present[token[0]], command)
