"""axe-core checks every view and dialog."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests import pictures
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.console import Console
from tests.browser.many import answer_groups
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import two_faces

ASTRONAUT = pictures.jpeg(pictures.astronaut())


# Each walk yields the name of every state that it reaches.
Walk = Callable[[Console], Iterator[str]]


def finding(console: Console) -> Iterator[str]:
    yield "empty"
    console.choose(pictures.jpeg(pictures.astronaut(), 70))
    expect(console.matches).to_have_count(1)
    yield "one face"
    console.view("find").get_by_role("button", name="How sure is a match?").click()
    expect(console.dialog.get_by_role("table")).to_be_visible()
    yield "about"
    console.page.keyboard.press("Escape")
    console.name_field.fill("eil")
    expect(console.page.get_by_role("list", name="People with a similar name").get_by_role("button")).to_have_count(1)
    yield "suggested"
    console.name_face("E. Collins")
    expect(console.page.get_by_role("button", name="No, two people")).to_be_visible()
    yield "similar"


def other_pictures(console: Console) -> Iterator[str]:
    console.choose(ASTRONAUT)
    expect(console.page.locator(".face.saved")).to_have_count(1)
    yield "saved"
    console.choose(two_faces())
    expect(console.faces).to_have_count(2)
    yield "group"
    console.choose(pictures.jpeg(pictures.cat()))
    expect(console.text("No face found")).to_be_visible()
    yield "cat"
    console.choose(b"text", "notes.txt", "text/plain")
    expect(console.alert).to_be_visible()
    yield "no picture"


def people(console: Console) -> Iterator[str]:
    console.go("People")
    expect(console.cards).to_have_count(2)
    yield "people"
    console.page.get_by_role("button", name="Select", exact=True).click()
    console.card("Eileen Collins").click()
    yield "selecting"
    console.page.get_by_role("button", name="Move to …").click()
    console.dialog.get_by_label("Name").fill("Unknown")
    console.dialog.get_by_role("button", name="Move", exact=True).click()
    yield "merging"


def other_people(console: Console) -> Iterator[str]:
    console.go("People")
    console.card("Unnamed").click()
    expect(console.page.get_by_role("heading", name="Unnamed")).to_be_visible()
    expect(console.cards).to_have_count(1)
    yield "unnamed"
    console.go("People")
    console.page.get_by_role("searchbox").fill("Zoe")
    expect(console.cards).to_have_count(0)
    yield "no match"
    console.page.goto(f"{console.url}/#/nothing")
    expect(console.page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()
    yield "bad address"


def person(console: Console) -> Iterator[str]:
    console.go("People")
    console.card("Eileen Collins").click()
    expect(console.page.get_by_role("button", name="Rename Eileen Collins")).to_be_visible()
    yield "person"
    console.page.get_by_label("More for Eileen Collins").click()
    yield "menu"
    console.page.get_by_label("More for Eileen Collins").click()
    console.page.get_by_role("button", name="Picture 1 of Eileen Collins", exact=True).click()
    yield "viewer"
    console.dialog.get_by_role("button", name="Move to …").click()
    yield "moving"
    console.page.keyboard.press("Escape")
    console.dialog.get_by_role("button", name="Make cover").click()
    expect(console.notice).to_be_visible()
    yield "a notice above a dialog"
    console.dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(console.notice).to_contain_text("Removed")
    yield "removed"


def failure(console: Console) -> Iterator[str]:
    console.page.route("**/people?*", lambda route: route.fulfill(status=500, json={"error_code": "1003"}))
    console.go("People")
    expect(console.alert.get_by_role("button", name="Retry")).to_be_visible()
    yield "failed"


def face_sets(console: Console) -> Iterator[str]:
    console.page.get_by_role("button", name="Manage face sets").click()
    expect(console.dialog.get_by_text("2 faces", exact=True)).to_be_visible()
    yield "face sets"
    console.dialog.get_by_label("New face set").fill("staff")
    console.dialog.get_by_role("button", name="Create").click()
    console.dialog.get_by_role("button", name="Delete face set staff").click()
    expect(console.dialog.get_by_label("Type staff to confirm")).to_be_visible()
    yield "deleting a face set"


def key_and_camera(console: Console) -> Iterator[str]:
    console.page.get_by_role("button", name="API key").click()
    yield "key"
    console.page.keyboard.press("Escape")
    console.page.get_by_role("button", name="Use the camera").click()
    expect(console.page.get_by_role("button", name="Take picture")).to_be_enabled()
    yield "camera"


def adding_many(console: Console) -> Iterator[str]:
    answer_groups(console, lambda tokens: {"groups": [tokens[:2]], "ungrouped": tokens[2:]})
    console.go("Add many")
    yield "add many"
    files = {
        "ada.jpg": ASTRONAUT,
        "copy.jpg": ASTRONAUT,
        "team.jpg": two_faces(),
        "cat.jpg": pictures.jpeg(pictures.cat()),
    }
    console.add_many(files)
    console.page.get_by_text("1 file without a face to add").click()
    console.page.get_by_role("combobox", name="Name for ada.jpg").fill("Copy")
    console.page.get_by_role("combobox", name="Name for copy.jpg").fill("Ada")
    yield "review"
    console.page.get_by_role("button", name="Group by person").click()
    expect(console.page.get_by_role("combobox", name="Name of Person 1")).to_be_visible()
    yield "groups"


def added_many(console: Console) -> Iterator[str]:
    console.page.route("**/detect", lambda route: route.abort(), times=1)
    console.go("Add many")
    console.add_many({"ada.jpg": ASTRONAUT, "copy.jpg": ASTRONAUT})
    expect(console.text("1 picture was not read.")).to_be_visible()
    yield "unread"
    console.page.get_by_role("button", name="Add 1 face").click()
    expect(console.page.get_by_role("heading", name="1 face added")).to_be_visible()
    yield "report"


def reading_many(console: Console) -> Iterator[str]:
    console.page.route("**/detect", lambda _: None)
    console.go("Add many")
    console.add_many({"ada.jpg": ASTRONAUT})
    expect(console.text("0 of 1")).to_be_visible()
    yield "reading"


def comparing(console: Console) -> Iterator[str]:
    console.go("Compare")
    yield "compare"
    console.choose(two_faces(), into="first")
    console.choose(ASTRONAUT, into="second")
    expect(console.page.locator("#compare-verdict")).to_be_visible()
    yield "compared"


# An experimental rule: a button's name contains the text that it shows.
OPTIONS = {"rules": {"label-content-name-mismatch": {"enabled": True}}}

# The next step of a walk is again on a desktop.
SCHEMES: tuple[tuple[Literal["dark", "light"], dict[str, Any]], ...] = (("dark", PHONE), ("light", DESKTOP))

WALKS: tuple[Walk, ...] = (
    *(finding, other_pictures, people, other_people, person, failure, face_sets, key_and_camera),
    *(adding_many, added_many, reading_many, comparing),
)


class TestAccessibility:
    @pytest.mark.parametrize("walk", WALKS)
    def test_axe_finds_nothing_serious(self, browser: Browser, api: HttpApi, walk: Walk) -> None:
        api.added(ASTRONAUT, "Eileen Collins")
        api.added(ASTRONAUT, "unknown")
        with browser.new_context(**DESKTOP | {"reduced_motion": "reduce"}) as context:
            console = Console(context.new_page(), api.url)
            console.open()
            for state in walk(console):
                for scheme, device in SCHEMES:
                    console.page.set_viewport_size(device["viewport"])
                    console.page.emulate_media(color_scheme=scheme)
                    console.page.wait_for_timeout(100)

                    assert serious_problems(console) == [], f"{state}, {scheme}"


def serious_problems(console: Console) -> list[tuple[str, str, list[str]]]:
    return [
        (problem["id"], problem["help"], [node["html"][:200] for node in problem["nodes"]])
        for problem in Axe().run(console.page, options=OPTIONS).response["violations"]
        if problem["impact"] in ("serious", "critical")
    ]
