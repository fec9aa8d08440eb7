"""An empty face set welcomes its user."""

from __future__ import annotations

from playwright.sync_api import expect

from tests import pictures
from tests.browser.console import Console
from tests.browser.gateway import Gateway
from tests.browser.test_accessibility import serious_problems
from tests.e2e.http_api import HttpApi


class TestWelcome:
    def test_the_sample_picture_needs_no_photograph(self, console: Console, api: HttpApi) -> None:
        console.open()
        expect(console.view("find").get_by_role("heading", name="This face set is empty")).to_be_visible()
        assert serious_problems(console) == []
        console.page.get_by_role("button", name="Try a sample picture").click()

        expect(console.faces).to_have_count(2)
        console.name_face("Ada Lovelace")
        console.name_face("Charles Babbage")
        console.page.get_by_role("button", name="Close the picture").click()

        expect(console.page.get_by_role("button", name="Choose a picture")).to_be_focused()
        expect(console.page.locator("#find-welcome")).to_be_hidden()
        assert len(api.get("/faces").body["faces"]) == 2

    def test_only_an_empty_face_set_shows_it(self, desktop: Console, api: HttpApi) -> None:
        api.added(pictures.jpeg(pictures.astronaut()), "Eileen Collins")
        api.post("/face_sets", face_set="staff")
        with desktop.page.expect_response("**/face_sets"):
            desktop.open()
        expect(desktop.text("The people in the picture appear here.")).to_be_visible()
        expect(desktop.page.locator("#find-welcome")).to_be_hidden()

        desktop.page.get_by_label("Face set", exact=True).select_option("staff")

        expect(desktop.page.get_by_role("button", name="Try a sample picture")).to_be_visible()

    def test_it_leads_to_the_documentation(self, deployed: Console, front: Gateway) -> None:
        deployed.open(path="")
        deployed.page.get_by_role("link", name="documentation of the API").click()

        expect(deployed.page.get_by_role("heading", level=1)).to_contain_text("Face search API")
        assert deployed.page.url == f"{front.url}/docs"
        assert "GET openapi.json" in front.requests
