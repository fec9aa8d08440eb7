"""Face sets are created, used and deleted."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests import pictures
from tests.browser.console import Console
from tests.e2e.http_api import HttpApi

ASTRONAUT = pictures.jpeg(pictures.astronaut())


def test_a_face_set_is_created_used_and_deleted(console: Console, api: HttpApi) -> None:
    console.open("people")
    console.page.get_by_role("button", name="Manage face sets").click()
    console.dialog.get_by_label("New face set").fill("staff")
    console.dialog.get_by_role("button", name="Create").click()
    picker = console.page.locator("#face-set")
    expect(picker).to_have_value("staff")
    console.page.keyboard.press("Escape")

    console.go("Find")
    console.choose(ASTRONAUT)
    console.name_face("Eileen Collins")
    console.page.reload()
    expect(picker).to_have_value("staff")
    assert [face["face_name"] for face in api.get("/faces", face_set="staff").body["faces"]] == ["Eileen Collins"]

    console.page.get_by_role("button", name="Manage face sets").click()
    console.dialog.get_by_role("button", name="Delete face set staff").click()
    expect(console.dialog).to_contain_text("Delete face set staff with its 1 face?")
    expect(console.dialog.get_by_role("button", name="Delete")).to_be_disabled()
    console.dialog.get_by_label("Type staff to confirm").fill("stuff")
    expect(console.dialog.get_by_role("button", name="Delete")).to_be_disabled()
    console.dialog.get_by_label("Type staff to confirm").fill("staff")
    console.dialog.get_by_role("button", name="Delete").click()
    expect(console.page.get_by_label("New face set")).to_be_focused()
    expect(picker).to_have_value("default")
    assert [known["face_set"] for known in api.get("/face_sets").body["face_sets"]] == ["default"]


@pytest.mark.parametrize("name", ["two words", "a/b", "é"])
def test_a_name_that_is_not_allowed(desktop: Console, api: HttpApi, name: str) -> None:
    desktop.open()
    desktop.page.get_by_role("button", name="Manage face sets").click()
    field = desktop.dialog.get_by_label("New face set")
    field.fill(name)
    desktop.dialog.get_by_role("button", name="Create").click()

    assert field.evaluate("field => field.validity.patternMismatch")
    assert len(api.get("/face_sets").body["face_sets"]) == 1


def test_a_deleted_face_set(desktop: Console, api: HttpApi) -> None:
    api.post("/face_sets", face_set="staff")
    desktop.open("people")
    desktop.page.locator("#face-set").select_option("staff")
    api.send("DELETE", "/face_sets/staff")
    desktop.page.reload()

    expect(desktop.page.locator("#face-set")).to_have_value("default")
    expect(desktop.text("No faces in this face set yet")).to_be_visible()
    desktop.watch.forgive_refusals()
