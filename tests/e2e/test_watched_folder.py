"""`make run` takes in the pictures of a folder."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chalicelib.incoming import paths
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import MAX_LOG_SECONDS, LocalStack
from tests.e2e.test_local_stack import refused
from tests.services import free_port

THRESHOLD = 0.65


def taken_in(root: Path, path: str, picture: bytes) -> dict[str, Any]:
    """Put a picture into the watched folder, and return its result."""
    file, result = root / path, root / paths.result_of(path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(picture)
    end = time.monotonic() + MAX_LOG_SECONDS
    while not result.exists() and time.monotonic() < end:
        time.sleep(0.02)
    read: dict[str, Any] = json.loads(result.read_bytes())
    return read


@pytest.fixture
def _empty_folder(sqlite_stack: LocalStack) -> Iterator[None]:
    yield
    sqlite_stack.empty_watched_folder()


@pytest.mark.usefixtures("_empty_folder")
def test_pictures_of_the_folder_are_added_and_identified(sqlite_stack: LocalStack, sqlite_api: HttpApi) -> None:
    added = taken_in(sqlite_stack.state, "incoming/add/default/Zoë + Ada/1 a.jpg", pictures.astronaut())
    found = taken_in(sqlite_stack.state, "incoming/identify/default/gate.jpg", pictures.astronaut_png())

    known = sqlite_api.get(f"/faces/{added['face_token']}").body
    assert (known["face_name"], known["face_set"]) == (added["face_name"], "default") == ("Zoë + Ada", "default")
    asked = sqlite_api.post("/identify", image_file=pictures.astronaut_png()).body
    for face in (*found["faces"], *asked["faces"]):
        del face["face_token"], face["face_name"]
    assert found == asked
    assert [match["face_token"] for match in found["faces"][0]["matches"]] == [added["face_token"]]
    assert "Zoë" not in sqlite_stack.log
    refused = taken_in(sqlite_stack.state, "incoming/add/1.jpg", pictures.cat())
    assert (refused["success"], refused["error_code"]) == (False, "1001")


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    arguments = ("--port", str(free_port()), "--state", str(tmp_path / "state"), "--incoming", str(tmp_path / "file"))

    said = refused("run", *arguments)

    assert said.endswith("incoming cannot be created (Not a directory): choose another folder with INCOMING=.\n")
