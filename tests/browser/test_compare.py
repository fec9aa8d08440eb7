"""Two pictures, and whether they show one person."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from infra import sample_face
from tests import pictures
from tests.browser.console import Console
from tests.e2e.http_api import HttpApi

ASTRONAUT = pictures.jpeg(pictures.astronaut())
MIRRORED = pictures.jpeg(np.ascontiguousarray(pictures.astronaut()[:, ::-1]), 80)


class TestCompare:
    def test_one_person(self, console: Console, api: HttpApi) -> None:
        console.open("compare")
        console.choose(ASTRONAUT, into="first")
        console.choose(MIRRORED, into="second")

        expect(console.page.locator("#compare-verdict")).to_have_text("Very likely the same person")
        expect(console.page.locator("#compare-words")).to_have_text(
            "Fewer than 1 in 10,000 pairs of different people are this near."
        )
        expect(console.page.locator("#compare .face")).to_have_count(2)
        assert api.get("/info").body["faces"] == 0

    def test_two_people_then_one(self, console: Console) -> None:
        console.open("compare")
        console.choose(ASTRONAUT, into="first")
        console.choose(pictures.jpeg(sample_face.draw()), into="second")
        expect(console.page.locator("#compare-verdict")).to_have_text("Probably someone else")
        expect(console.page.locator("#compare-words")).to_contain_text("More than 1 in 100")

        console.page.get_by_role("group", name="Second picture").get_by_role("button", name="Change").click()
        expect(console.page.locator("#compare-result")).to_be_hidden()
        console.choose(ASTRONAUT, into="second")

        expect(console.page.locator("#compare-verdict")).to_have_text("The same picture")

    def test_a_picture_without_a_face(self, desktop: Console) -> None:
        desktop.open("compare")
        desktop.choose(ASTRONAUT, into="first")
        desktop.choose(pictures.jpeg(pictures.cat()), into="second")

        expect(desktop.alert).to_contain_text("No face was found in the second picture.")
        desktop.watch.forgive_refusals()
