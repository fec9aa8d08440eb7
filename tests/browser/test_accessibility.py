"""axe-core checks every view and dialog."""

from __future__ import annotations

from collections.abc import Callable

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


def empty(_: Console) -> None:
    """Leave the page in its initial state."""


def one_face(console: Console) -> None:
    console.choose(pictures.jpeg(pictures.astronaut(), 70))
    expect(console.matches).to_have_count(1)


def saved(console: Console) -> None:
    console.choose(ASTRONAUT)
    expect(console.page.locator(".face.saved")).to_have_count(1)


def group(console: Console) -> None:
    console.choose(two_faces())
    expect(console.faces).to_have_count(2)


def suggested(console: Console) -> None:
    one_face(console)
    console.name_field.fill("eil")
    expect(console.page.get_by_role("list", name="People with a similar name").get_by_role("button")).to_have_count(1)


def similar(console: Console) -> None:
    one_face(console)
    console.name_face("E. Collins")
    expect(console.page.get_by_role("button", name="No, two people")).to_be_visible()


def cat(console: Console) -> None:
    console.choose(pictures.jpeg(pictures.cat()))
    expect(console.text("No face found")).to_be_visible()


def no_picture(console: Console) -> None:
    console.choose(b"text", "notes.txt", "text/plain")
    expect(console.alert).to_be_visible()


def people(console: Console) -> None:
    console.go("People")
    expect(console.cards).to_have_count(2)


def selecting(console: Console) -> None:
    people(console)
    console.page.get_by_role("button", name="Select", exact=True).click()
    console.card("Eileen Collins").click()


def person(console: Console) -> None:
    people(console)
    console.card("Eileen Collins").click()
    expect(console.page.get_by_role("button", name="Rename Eileen Collins")).to_be_visible()


def menu(console: Console) -> None:
    person(console)
    console.page.get_by_label("More for Eileen Collins").click()


def unnamed(console: Console) -> None:
    people(console)
    console.card("Unnamed").click()
    expect(console.page.get_by_role("heading", name="Unnamed")).to_be_visible()
    expect(console.cards).to_have_count(1)


def viewer(console: Console) -> None:
    person(console)
    console.page.get_by_role("button", name="Picture 1 of Eileen Collins", exact=True).click()


def moving(console: Console) -> None:
    viewer(console)
    console.dialog.get_by_role("button", name="Move to …").click()


def notice_above_a_dialog(console: Console) -> None:
    viewer(console)
    console.dialog.get_by_role("button", name="Make cover").click()
    expect(console.notice).to_be_visible()


def removed(console: Console) -> None:
    viewer(console)
    console.dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(console.notice).to_be_visible()


def merging(console: Console) -> None:
    people(console)
    console.page.get_by_role("button", name="Select", exact=True).click()
    console.card("Eileen Collins").click()
    console.page.get_by_role("button", name="Move to …").click()
    console.dialog.get_by_label("Name").fill("Unknown")
    console.dialog.get_by_role("button", name="Move", exact=True).click()


def nobody(console: Console) -> None:
    people(console)
    console.page.get_by_role("searchbox").fill("nobody")
    expect(console.cards).to_have_count(0)


def bad_address(console: Console) -> None:
    console.page.goto(f"{console.url}/#/nothing")
    expect(console.page.get_by_role("heading", name="There is nothing at this address")).to_be_visible()


def failed(console: Console) -> None:
    console.page.route("**/people?*", lambda route: route.fulfill(status=500, json={"error_code": "1003"}))
    console.go("People")
    expect(console.alert.get_by_role("button", name="Retry")).to_be_visible()


def face_sets(console: Console) -> None:
    console.page.get_by_role("button", name="Manage face sets").click()
    expect(console.dialog.get_by_text("2 faces", exact=True)).to_be_visible()


def deleting_a_face_set(console: Console) -> None:
    face_sets(console)
    console.dialog.get_by_label("New face set").fill("staff")
    console.dialog.get_by_role("button", name="Create").click()
    console.dialog.get_by_role("button", name="Delete face set staff").click()
    expect(console.dialog.get_by_label("Type staff to confirm")).to_be_visible()


def key(console: Console) -> None:
    console.page.get_by_role("button", name="API key").click()


def about(console: Console) -> None:
    one_face(console)
    console.view("find").get_by_role("button", name="How sure is a match?").click()
    expect(console.dialog.get_by_role("table")).to_be_visible()


def camera(console: Console) -> None:
    console.page.get_by_role("button", name="Use the camera").click()
    expect(console.page.get_by_role("button", name="Take picture")).to_be_enabled()


def add_many(console: Console) -> None:
    console.go("Add many")


def reading(console: Console) -> None:
    console.page.route("**/detect", lambda _: None)
    add_many(console)
    console.add_many({"ada.jpg": ASTRONAUT})
    expect(console.text("0 of 1")).to_be_visible()


def review(console: Console) -> None:
    add_many(console)
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


def unread(console: Console) -> None:
    console.page.route("**/detect", lambda route: route.abort(), times=1)
    add_many(console)
    console.add_many({"ada.jpg": ASTRONAUT, "copy.jpg": ASTRONAUT})
    expect(console.text("1 picture was not read.")).to_be_visible()


def groups(console: Console) -> None:
    answer_groups(console, lambda tokens: {"groups": [tokens[:2]], "ungrouped": tokens[2:]})
    review(console)
    console.page.get_by_role("button", name="Group by person").click()
    expect(console.page.get_by_role("combobox", name="Name of Person 1")).to_be_visible()


def report(console: Console) -> None:
    review(console)
    console.page.get_by_role("button", name="Add 2 faces").click()
    expect(console.page.get_by_role("heading", name="2 faces added")).to_be_visible()


def compare(console: Console) -> None:
    console.go("Compare")


def compared(console: Console) -> None:
    compare(console)
    console.choose(two_faces(), into="first")
    console.choose(ASTRONAUT, into="second")
    expect(console.page.locator("#compare-verdict")).to_be_visible()


# An experimental rule: a button's name contains the text that it shows.
OPTIONS = {"rules": {"label-content-name-mismatch": {"enabled": True}}}

STATES = (
    *(
        empty,
        one_face,
        saved,
        group,
        suggested,
        similar,
        cat,
        no_picture,
        people,
        selecting,
        person,
        menu,
        unnamed,
        viewer,
        moving,
        notice_above_a_dialog,
    ),
    *(removed, merging, nobody, bad_address, failed, face_sets, deleting_a_face_set, key, about, camera),
    *(add_many, reading, review, unread, groups, report, compare, compared),
)


class TestAccessibility:
    @pytest.mark.parametrize("reach", STATES)
    def test_axe_finds_nothing_serious(self, browser: Browser, api: HttpApi, reach: Callable[[Console], None]) -> None:
        api.added(ASTRONAUT, "Eileen Collins")
        api.added(ASTRONAUT, "unknown")
        with browser.new_context(**DESKTOP | {"reduced_motion": "reduce"}) as context:
            console = Console(context.new_page(), api.url)
            console.open()
            reach(console)
            for scheme, device in (("light", DESKTOP), ("dark", PHONE)):
                console.page.set_viewport_size(device["viewport"])
                console.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                console.page.wait_for_timeout(100)

                assert serious_problems(console) == [], scheme


def serious_problems(console: Console) -> list[tuple[str, str, list[str]]]:
    return [
        (problem["id"], problem["help"], [node["html"][:200] for node in problem["nodes"]])
        for problem in Axe().run(console.page, options=OPTIONS).response["violations"]
        if problem["impact"] in ("serious", "critical")
    ]
