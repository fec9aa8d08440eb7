"""A reader of the tutorials and examples beside `make run`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import absent
from tests.documentation.pages import Reader
from tests.e2e import pictures
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, LocalStack

PICTURES: dict[str, Callable[[], bytes]] = {
    "ada.jpg": pictures.drawing,
    "eileen.jpg": pictures.astronaut,
    "both.jpg": pictures.two_faces,
    "photos/both.jpg": pictures.two_faces,
    "photos/cat.jpg": pictures.cat,
    "photos/launch.jpg": lambda: pictures.changed_astronauts()["mirrored"],
    "photos/portrait.jpg": pictures.astronaut,
}


@pytest.fixture
def reader(sqlite_stack: LocalStack, tmp_path: Path) -> Iterator[Reader]:
    """A reader with a clone of the project and some photographs. All faces are removed afterwards."""
    folder = tmp_path / "clone"
    (folder / "photos").mkdir(parents=True)
    for name, picture in PICTURES.items():
        (folder / name).write_bytes(picture())
    (folder / "docs").symlink_to(ROOT / "docs")
    (folder / ".local").symlink_to(sqlite_stack.state)
    here = f"localhost:{sqlite_stack.port}"
    yield Reader(
        folder, tmp_path / "programs", {"FACE_SEARCH_URL": f"http://{here}"}, replaced={"localhost:8000": here}
    )
    api = HttpApi(sqlite_stack.port)
    api.remove_everything()
    api.session.close()


def needed(*programs: str) -> None:
    """Skip the test without these programs, which `.ci/run` installs."""
    for name in programs:
        if shutil.which(name) is None:
            absent(f"{name} is not on this machine")
