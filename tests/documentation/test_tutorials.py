"""The tutorials' commands, give the outputs shown there. tests/deploy/test_tutorial.py runs the one on AWS."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documentation.commands import ROOT, TUTORIALS
from tests.documentation.conftest import needed
from tests.documentation.pages import Reader, shown
from tests.documentation.rekognition import rekognition
from tests.e2e import pictures

FOLDER = ROOT / "docs" / "tutorials"
PAGES = sorted(FOLDER.glob("*.md"))


def test_the_first_ten_minutes(reader: Reader) -> None:
    needed("curl")

    reader.follow(FOLDER / "first-ten-minutes.md")


def test_a_folder_is_named(reader: Reader) -> None:
    reader.follow(FOLDER / "name-a-folder.md")


def test_a_rekognition_collection_is_moved(reader: Reader) -> None:
    launch, cat = pictures.changed_astronauts()["mirrored"], pictures.cat()
    for name, picture in {
        "pictures/Eileen_Collins/1.jpg": pictures.astronaut(),
        "pictures/Ada_Lovelace/1.jpg": pictures.drawing(),
        "probes/launch.jpg": launch,
        "probes/ada.jpg": pictures.drawing(),
        "probes/cat.jpg": cat,
    }.items():
        path = reader.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    with rekognition({launch: "Eileen_Collins", cat: None}) as url:
        aws = {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "eu-central-1"}
        reader.environment |= {f"AWS_{name}": value for name, value in aws.items()}
        reader.environment |= {"AWS_ENDPOINT_URL_REKOGNITION": url}

        reader.follow(FOLDER / "from-rekognition.md")


def test_a_client_of_the_flask_service_moves(reader: Reader) -> None:
    needed("curl")

    reader.follow(FOLDER / "from-the-flask-service.md")


def test_a_test_follows_every_tutorial() -> None:
    tests = (Path(__file__), ROOT / "tests" / "deploy" / "test_tutorial.py")
    followed = {name for test in tests for name in re.findall(r'"([a-z-]+\.md)"', test.read_text("utf-8"))}

    assert followed == {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_tutorial_first_says_whom_it_is_for(page: Path) -> None:
    title, blank, audience, *_ = page.read_text("utf-8").splitlines()

    assert title.startswith("# ")
    assert not blank
    assert audience.startswith("For ")


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", page.read_text("utf-8"))

    assert links
    for path, section in links:
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), path
        assert not section or section in _sections(target), f"{path}#{section}"


def _sections(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_another_output_than_the_pages_is_noticed() -> None:
    one, other, known = "m85XDO567ZbF4bEmeEptJjDV", "7dCYtC9RFFhhFCUUwgK40WRQ", "pR3v0mCqUzT6yHj9LxW2aBdK"
    expected = f"{one} Ada 0.31\n{known} …"

    assert shown(expected, f" {other}   Ada 0.5\n{known} and more", {known: known}) == {one: other}
    assert shown(expected, f"{other} Eileen 0.5\n{known} and more", {known: known}) is None
    assert shown(expected, f"{other} Ada 0.5\n{other} and more", {known: known}) is None
    assert shown(expected, f"{other} Ada 0.5", {known: known}) is None
