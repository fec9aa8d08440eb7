"""The command line, run against `make run`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from face_search_cli.__main__ import main
from tests.e2e import pictures
from tests.e2e.local_stack import LocalStack

Run = Callable[..., Result]


@pytest.fixture
def stack(sqlite_stack: LocalStack) -> LocalStack:
    return sqlite_stack


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with pictures of two people and a cat."""
    monkeypatch.chdir(tmp_path)
    for name, file in {
        "eileen.jpg": pictures.astronaut(),
        "ada.jpg": pictures.drawing(),
        "cat.jpg": pictures.cat(),
    }.items():
        (tmp_path / name).write_bytes(file)
    return tmp_path


@pytest.fixture
def people(folder: Path) -> Path:
    """A folder with two people, one with two pictures, and with files that have no face or are no pictures."""
    people = folder / "people"
    for name, file in {
        "Eileen/1.jpg": pictures.astronaut(),
        "Eileen/deep/2.JPEG": pictures.changed_astronauts()["mirrored"],
        "Ada.png": pictures.png(pictures.astronaut_pixels()[:, ::-1]),
        "Cat/1.jpg": pictures.cat(),
        "Cat/notes.txt": b"not a picture",
        "Broken/1.jpg": b"\xff\xd8\xff no picture",
        ".hidden/1.jpg": pictures.astronaut(),
        "Eileen/._1.jpg": b"what macOS leaves",
    }.items():
        (people / name).parent.mkdir(parents=True, exist_ok=True)
        (people / name).write_bytes(file)
    return people


@pytest.fixture
def run(stack: LocalStack, folder: Path) -> Iterator[Run]:
    """Return a function that runs a command line. The face sets are emptied afterwards."""
    runner = CliRunner(env={"FACE_SEARCH_URL": f"http://localhost:{stack.port}"})

    def run(*arguments: str, code: int = 0) -> Result:
        result = runner.invoke(main, arguments)
        assert result.exit_code == code, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    yield run
    for name in ("default", "staff"):
        listed = runner.invoke(main, ["list", "--face-set", name, "--limit", "1000"])
        for line in listed.stdout.splitlines():
            token = line.split()[:1]
            if token and len(token[0]) == 24:
                runner.invoke(main, ["remove", token[0]])
    runner.invoke(main, ["face-sets", "delete", "staff", "--yes"])
