"""`face-search group` names the pictures of each person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from face_search_cli import group_command
from tests.cli.conftest import Run
from tests.e2e import pictures


def rows(output: str) -> list[list[str]]:
    """Return the cells of a table without the tokens; a face without a group has one cell less."""
    lines = [line.split() for line in output.splitlines()]
    return [cells[:-1] for cells in lines if cells and len(cells[-1]) == 24]


def test_the_pictures_of_a_person_are_together(run: Run, folder: Path, people: Path) -> None:
    (people / "Broken" / "1.jpg").unlink()
    (folder / "two.png").write_bytes(pictures.two_faces())

    done = run("group", "eileen.jpg", "two.png", "people")

    assert rows(done.stdout) == [
        *(["1", "eileen.jpg"], ["1", "two.png", "2"]),
        *(["1", "people/Ada.png"], ["1", "people/Eileen/1.jpg"], ["1", "people/Eileen/deep/2.JPEG"]),
        ["two.png", "1"],
    ]
    assert done.stderr == "people/Cat/1.jpg: no face\n"


def test_json_has_the_file_of_each_token(run: Run, folder: Path) -> None:
    (folder / "two.png").write_bytes(pictures.two_faces())

    body = json.loads(run("group", "two.png", "ada.jpg", "--json").stdout)

    [[one, other]], [alone] = body["groups"], body["ungrouped"]
    assert (body["success"], body["threshold"] > 0) == (True, True)
    assert body["pictures"] == {
        one: {"file": "two.png", "number": 1},
        other: {"file": "ada.jpg", "number": 1},
        alone: {"file": "two.png", "number": 2},
    }


def test_a_picture_that_cannot_be_used_is_left_out(run: Run, folder: Path) -> None:
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (folder / "more").mkdir()
    (folder / "more" / "a.gif").write_bytes(b"GIF89a" + bytes(100))

    done = run("group", "eileen.jpg", "broken.jpg", "more", code=1)

    assert rows(done.stdout) == [["eileen.jpg"]]
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()] == ["broken.jpg", "more/a.gif"]
    assert "1004" in done.stderr


def test_pictures_without_a_face(run: Run) -> None:
    done = run("group", "cat.jpg", code=1)

    assert done.stdout == ""
    assert done.stderr == "cat.jpg: no face\nface-search: no face in the pictures\n"


def test_a_file_that_does_not_exist(run: Run) -> None:
    assert "absent.jpg" in run("group", "absent.jpg", code=2).stderr
    run("group", code=2)


def test_more_faces_than_the_service_takes(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_command, "MAX_FACES", 1)

    done = run("group", "eileen.jpg", "ada.jpg", "cat.jpg", code=2)

    assert "more than 1 faces: give fewer pictures" in done.stderr


def test_control_characters_in_file_names_do_not_reach_the_terminal(run: Run, folder: Path) -> None:
    (folder / "\x1b[2J.jpg").write_bytes(pictures.astronaut())
    (folder / "\x07.jpg").write_bytes(pictures.cat())

    done = run("group", "\x1b[2J.jpg", "\x07.jpg")

    assert "\x1b" not in done.stdout
    assert done.stderr == "\N{REPLACEMENT CHARACTER}.jpg: no face\n"
