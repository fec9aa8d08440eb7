"""axe-core checks every view and dialog."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests import pictures
from tests.browser.conftest import DESKTOP, PHONE
from tests.browser.console import Console
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
    expect(console.page.locator(".person")).to_have_count(1)


def removing(console: Console) -> None:
    people(console)
    console.page.get_by_role("button", name="Remove").click()


def renaming(console: Console) -> None:
    people(console)
    console.page.get_by_role("button", name="Rename").click()


def nobody(console: Console) -> None:
    people(console)
    console.page.get_by_role("searchbox").fill("nobody")
    expect(console.page.locator(".person")).to_have_count(0)


def face_sets(console: Console) -> None:
    console.page.get_by_role("button", name="Manage face sets").click()
    expect(console.dialog.get_by_text("1 face", exact=True)).to_be_visible()


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


def check(console: Console) -> None:
    add_many(console)
    console.add_many({"ada.jpg": ASTRONAUT, "cat.jpg": pictures.jpeg(pictures.cat())})


def report(console: Console) -> None:
    check(console)
    console.page.get_by_role("button", name="Start adding").click()
    expect(console.page.get_by_role("heading", name="1 face added, 1 failed")).to_be_visible()


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
        removing,
        renaming,
        nobody,
        face_sets,
        key,
        about,
        camera,
    ),
    *(add_many, check, report, compare, compared),
)


class TestAccessibility:
    @pytest.mark.parametrize("reach", STATES)
    def test_axe_finds_nothing_serious(self, browser: Browser, api: HttpApi, reach: Callable[[Console], None]) -> None:
        api.added(ASTRONAUT, "Eileen Collins")
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
