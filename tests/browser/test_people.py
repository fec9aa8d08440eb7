"""Known people and face sets are listed and managed."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Route, expect

from tests import pictures
from tests.browser.console import Console
from tests.browser.rates import words
from tests.e2e.http_api import HttpApi

ASTRONAUT = pictures.jpeg(pictures.astronaut())


def cards(console: Console) -> Locator:
    return console.view("people").locator(".person")


class TestPeople:
    def test_an_empty_face_set(self, console: Console) -> None:
        console.open("people")

        expect(console.text("No faces in this face set yet")).to_be_visible()
        console.page.get_by_role("link", name="Open a picture").click()
        expect(console.page.get_by_role("heading", name="Who is this?")).to_be_visible()

    def test_a_face_is_seen_renamed_and_removed(self, console: Console, api: HttpApi) -> None:
        token = api.added(ASTRONAUT, "Eileen Colins")
        console.open("people")
        expect(cards(console)).to_have_count(1)
        expect(cards(console)).to_contain_text("Eileen Colins")
        console.page.wait_for_function("() => document.querySelector('.person img').naturalWidth > 0")

        console.page.get_by_role("button", name="Rename Eileen Colins").click()
        console.dialog.get_by_label("Name").fill("Eileen Collins")
        console.dialog.get_by_role("button", name="Rename").click()

        expect(cards(console)).to_contain_text("Eileen Collins")
        assert api.get(f"/faces/{token}").body["face_name"] == "Eileen Collins"
        console.page.get_by_role("button", name="Remove Eileen Collins").click()
        console.dialog.get_by_role("button", name="Cancel").click()
        expect(cards(console)).to_have_count(1)
        console.page.get_by_role("button", name="Remove Eileen Collins").click()
        expect(console.dialog).to_contain_text("Remove this face of Eileen Collins?")
        console.dialog.get_by_role("button", name="Remove").click()
        expect(console.text("No faces in this face set yet")).to_be_visible()
        assert api.get(f"/faces/{token}").status == 404

    def test_names_are_searched(self, console: Console, api: HttpApi) -> None:
        for name in ("Ada Lovelace", "Grace Hopper", "adam"):
            api.added(ASTRONAUT, name)
        console.open("people")
        expect(cards(console)).to_have_count(3)

        console.page.get_by_role("searchbox").fill("DA")

        expect(cards(console)).to_have_count(2)
        expect(console.text("2 faces with “DA” in the name")).to_be_visible()
        console.page.get_by_role("searchbox").fill("nobody")
        expect(console.text("No faces with “nobody” in the name")).to_be_visible()

    def test_more_than_a_page(self, desktop: Console, api: HttpApi) -> None:
        for number in range(50):
            api.added(ASTRONAUT, f"Number {number}")
        desktop.open("people")
        expect(cards(desktop)).to_have_count(48)
        expect(desktop.text("48 of 50 faces")).to_be_visible()

        desktop.page.get_by_role("button", name="Show more").click()

        expect(cards(desktop)).to_have_count(50)
        expect(desktop.text("50 faces")).to_be_visible()
        expect(desktop.page.get_by_role("button", name="Show more")).to_be_hidden()
        expect(desktop.page.get_by_role("button", name="Find faces like Number 48")).to_be_focused()

    def test_similar_faces(self, console: Console, api: HttpApi) -> None:
        token = api.added(ASTRONAUT, "First")
        api.added(pictures.jpeg(pictures.astronaut(), 70), "Second")
        console.open("people")

        console.page.get_by_role("button", name="Find faces like First").click()

        expect(console.dialog.locator(".matches li:not(.skeleton)")).to_have_count(1)
        expect(console.dialog).to_contain_text("Second")
        found = api.search(token, "2")
        expect(console.dialog).to_contain_text(words(found["cmp_result"][0]["distance"], found["thresholds"]))
        console.page.keyboard.press("Escape")
        expect(console.page.get_by_role("button", name="Find faces like First")).to_be_focused()

    def test_pictures_at_another_host(self, desktop: Console, api: HttpApi) -> None:
        api.added(ASTRONAUT, "Ada")
        crops = re.compile(r"https://faces\.s3\.eu-central-1\.amazonaws\.com/")
        served = []

        def serve(route: Route) -> None:
            served.append(route.request.header_value("x-api-key"))
            route.fulfill(body=ASTRONAUT, content_type="image/jpeg")

        def point(route: Route) -> None:
            reply = route.fetch()
            body = reply.json() | {"crop_url": "https://faces.s3.eu-central-1.amazonaws.com/a.jpg?X-Amz-Signature=1"}
            route.fulfill(response=reply, json=body)

        desktop.page.route(crops, serve)
        desktop.page.route(re.compile(r"/faces/\w{24}$"), point)
        desktop.open("people")

        desktop.page.wait_for_function("() => document.querySelector('.person img')?.naturalWidth > 0")
        assert served == [None]
        desktop.watch.hosts.discard("faces.s3.eu-central-1.amazonaws.com")


class TestFaceSets:
    def test_a_face_set_is_created_used_and_deleted(self, console: Console, api: HttpApi) -> None:
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
        console.dialog.get_by_role("button", name="Delete").click()
        expect(picker).to_have_value("default")
        assert [known["face_set"] for known in api.get("/face_sets").body["face_sets"]] == ["default"]

    @pytest.mark.parametrize("name", ["two words", "a/b", "é"])
    def test_a_name_that_is_not_allowed(self, desktop: Console, api: HttpApi, name: str) -> None:
        desktop.open()
        desktop.page.get_by_role("button", name="Manage face sets").click()
        field = desktop.dialog.get_by_label("New face set")
        field.fill(name)
        desktop.dialog.get_by_role("button", name="Create").click()

        assert field.evaluate("field => field.validity.patternMismatch")
        assert len(api.get("/face_sets").body["face_sets"]) == 1

    def test_a_deleted_face_set(self, desktop: Console, api: HttpApi) -> None:
        api.post("/face_sets", face_set="staff")
        desktop.open("people")
        desktop.page.locator("#face-set").select_option("staff")
        api.send("DELETE", "/face_sets/staff")
        desktop.page.reload()

        expect(desktop.page.locator("#face-set")).to_have_value("default")
        expect(desktop.text("No faces in this face set yet")).to_be_visible()
        desktop.watch.forgive_refusals()
