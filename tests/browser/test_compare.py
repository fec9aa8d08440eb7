"""Two pictures are compared, to decide whether they show the same person."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from tests import pictures
from tests.browser.console import Console
from tests.browser.rates import answer_with, words
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import drawing

ASTRONAUT = pictures.jpeg(pictures.astronaut())
MIRRORED = pictures.jpeg(np.ascontiguousarray(pictures.astronaut()[:, ::-1]), 80)


class TestCompare:
    def test_one_person(self, console: Console, api: HttpApi) -> None:
        reply = api.post("/compare", image_file1=ASTRONAUT, image_file2=MIRRORED).body
        console.open("compare")
        console.choose(ASTRONAUT, into="first")
        console.choose(MIRRORED, into="second")

        expect(console.page.locator("#compare-verdict")).to_have_text(words(reply["distance"], reply["thresholds"]))
        expect(console.page.locator("#compare-distance")).to_have_text(f"Distance {reply['distance']:.3f}")
        expect(console.page.locator("#compare .face")).to_have_count(2)
        assert api.get("/info").body["faces"] == 0

    def test_two_people_then_one(self, console: Console, api: HttpApi) -> None:
        reply = api.post("/compare", image_file1=ASTRONAUT, image_file2=drawing()).body
        console.open("compare")
        console.choose(ASTRONAUT, into="first")
        console.choose(drawing(), into="second")
        expect(console.page.locator("#compare-verdict")).to_have_text(words(reply["distance"], reply["thresholds"]))

        console.page.get_by_role("group", name="Second picture").get_by_role("button", name="Change").click()
        expect(console.page.locator("#compare-result")).to_be_hidden()
        console.choose(ASTRONAUT, into="second")

        expect(console.page.locator("#compare-verdict")).to_have_text("The same picture")

    def test_a_verdict_with_a_high_rate_in_some_group_has_a_warning(self, desktop: Console) -> None:
        answer_with(desktop.page, {"1e-3": 9, "1e-4": 8}, {"1e-3": 0.002, "1e-4": 0.002})
        desktop.open("compare")
        desktop.choose(ASTRONAUT, into="first")
        desktop.choose(drawing(), into="second")

        expect(desktop.page.locator("#compare-words")).to_have_text(
            "Fewer than 1 in 10,000 pairs of different people are this close. "
            "In some groups of people, 1 in 500 strangers are this close."
        )

    def test_a_verdict_without_a_high_rate_has_no_warning(self, desktop: Console) -> None:
        answer_with(desktop.page, {"1e-3": 9, "1e-4": 8}, {"1e-3": 0.01, "1e-4": 0.001})
        desktop.open("compare")
        desktop.choose(ASTRONAUT, into="first")
        desktop.choose(drawing(), into="second")

        expect(desktop.page.locator("#compare-words")).to_have_text(
            "Fewer than 1 in 10,000 pairs of different people are this close."
        )

    def test_a_picture_without_a_face(self, desktop: Console) -> None:
        desktop.open("compare")
        desktop.choose(ASTRONAUT, into="first")
        desktop.choose(pictures.jpeg(pictures.cat()), into="second")

        expect(desktop.alert).to_contain_text("No face was found in the second picture.")
        desktop.watch.forgive_refusals()
