"""Follows a page as a reader does: saves its files, runs its commands, and compares their outputs with the page.

A command is a line `$ …` of a ```console block, which lines `> …` may continue. The lines below are its output. A file
is a block after a paragraph that ends with "Save this as `name`:". In an output, `…` stands for anything.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.local_stack import ROOT

_BLOCK = re.compile(r"(?:Save this as\s`(?P<file>[^`]+)`:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)
_COMMAND = re.compile(r"^\$ (?P<command>.*(?:\n> .*)*)\n(?P<output>(?:[^$].*\n|\n)*)", re.M)
_TOKEN = re.compile(r"\b[A-Za-z0-9]{24}\b")
# Parts of an output that differ between runs, and what may be in their places. Numbers are distances, times taken and
# sizes; spaces include the lines of tables.
_PARTS = re.compile(
    rf"(?P<token>{_TOKEN.pattern})|(?P<time>\d{{4}}-\d\d-\d\dT[\d:]+Z)|(?P<number>\d+\.\d+)|(?P<any>…)|(?P<space>[\s─]+)"
)
_PATTERNS = {
    "token": r"([A-Za-z0-9]{24})",
    "time": r"\d{4}-\d\d-\d\dT[\d:]+Z",
    "number": r"\d+(?:\.\d+)?",
    "any": ".*",
    "space": r"[\s─]+",
}


@dataclass(frozen=True, slots=True)
class File:
    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    text: str
    output: str


def steps(page: Path) -> Iterator[File | Command]:
    """Return a page's files and commands in reading order. Blocks of other kinds are not run."""
    text = page.read_text("utf-8")
    blocks = list(_BLOCK.finditer(text))
    assert sum(block["file"] is not None for block in blocks) == text.count("Save this as")
    for block in blocks:
        if block["file"]:
            yield File(block["file"], block["text"])
        elif block["kind"] == "console":
            shown = list(_COMMAND.finditer(block["text"]))
            assert "".join(command[0] for command in shown) == block["text"], block["text"]
            yield from (Command(command["command"].replace("\n> ", "\n"), command["output"]) for command in shown)


def shown(expected: str, output: str, known: Mapping[str, str]) -> dict[str, str] | None:
    """Return the tokens of an output by the page's tokens; None if the page shows another output.

    `known` has the tokens of the outputs before.
    """
    new: list[str] = []
    pattern, end = "", 0
    expected = expected.strip()
    for part in _PARTS.finditer(expected):
        pattern += re.escape(expected[end : part.start()])
        end = part.end()
        token = part["token"]
        if token in known:
            pattern += known[token]
        elif token in new:
            pattern += f"(?:\\{new.index(token) + 1})"
        else:
            pattern += _PATTERNS[str(part.lastgroup)]
            new += [token] if token else []
    match = re.fullmatch(pattern + re.escape(expected[end:]), output.strip(), re.DOTALL)
    return None if match is None else dict(zip(new, match.groups(), strict=True))


@dataclass
class Reader:
    """Someone who reads a page in a folder, and has the service at an address other than the page's.

    Parameters
    ----------
    programs
        A folder for the commands that the reader has installed.
    replaced
        Maps commands of the page to the commands that run here.
    """

    folder: Path
    programs: Path
    environment: dict[str, str]
    replaced: Mapping[str, str] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.programs.mkdir()
        command = self.programs / "face-search"
        command.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT}/infra/cli exec {sys.executable} -m face_search_cli "$@"\n')
        command.chmod(0o755)

    def follow(self, page: Path) -> None:
        for step in steps(page):
            self.take(step)

    def take(self, step: File | Command) -> None:
        if isinstance(step, File):
            path = self.folder / step.name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._with_tokens(step.text), "utf-8")
            return
        done = self.run(step.text)
        assert done.returncode == 0, f"{step.text}\n{done.stdout}"
        self.compare(step, done.stdout)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command. Its errors are in its output, as in a terminal."""
        # Under `make test`, another make would print the folders that it enters.
        around = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
        path = os.pathsep.join([str(self.programs), str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            ["bash", "-c", self._with_tokens(command)],
            cwd=self.folder,
            env={**around, "NO_PROXY": "localhost,127.0.0.1", **self.environment, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def compare(self, step: Command, output: str) -> None:
        tokens = shown(self._here(step.output), output, self._tokens)
        assert tokens is not None, f"{step.text}\n{output}\nThe page shows:\n{step.output}"
        self._tokens.update(tokens)

    def _here(self, text: str) -> str:
        """Return a text of the page with the addresses and names of this machine."""
        for there, here in self.replaced.items():
            text = text.replace(there, here)
        return text

    def _with_tokens(self, text: str) -> str:
        return _TOKEN.sub(lambda token: self._tokens.get(token[0], token[0]), self._here(text))
