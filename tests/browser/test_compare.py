"""Two pictures are compared, to decide whether they show the same person."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from tests import pictures
from tests.browser.console import Console
from tests.browser.rates import answer_with, words
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import drawing, two_faces

ASTRONAUT = pictures.jpeg(pictures.astronaut())
MIRRORED = pictures.jpeg(np.ascontiguousarray(pictures.astronaut()[:, ::-1]), 80)


class TestCompare:
    def test_one_person(self, console: Console, api: HttpApi) -> None:
        reply = api.post("/compare", image_file1=ASTRONAUT, image_file2=MIRRORED).body
        console.open("compare")
        console.choose(ASTRONAUT, into="first")
        console.choose(MIRRORED, into="second")

        verdict = f"{words(reply['distance'], reply['thresholds'])} the same person"
        expect(console.page.locator("#compare-verdict")).to_have_text(verdict)
        expect(console.page.locator("#compare-verdict")).to_be_in_viewport(ratio=1)
        expect(console.page.locator("#compare .face")).to_have_count(2)
        expect(console.page.locator("#compare-distance")).to_be_hidden()
        console.view("compare").get_by_text("Details").click()
        expect(console.page.locator("#compare-distance")).to_have_text(f"Distance {reply['distance']:.3f}")
        assert api.get("/info").body["faces"] == 0

    def test_two_people_then_one(self, console: Console, api: HttpApi) -> None:
        reply = api.post("/compare", image_file1=ASTRONAUT, image_file2=drawing()).body
        console.open("compare")
        console.choose(ASTRONAUT, into="first")
        console.choose(drawing(), into="second")
        verdict = f"{words(reply['distance'], reply['thresholds'])} the same person"
        expect(console.page.locator("#compare-verdict")).to_have_text(verdict)

        console.page.get_by_role("group", name="Second picture").get_by_role("button", name="Change").click()
        expect(console.page.locator("#compare-result")).to_be_hidden()
        console.choose(ASTRONAUT, into="second")

        expect(console.page.locator("#compare-verdict")).to_have_text("The same picture")

    @pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
    def test_a_click_chooses_a_face_of_a_group(self, desktop: Console, width: int, height: int) -> None:
        desktop.page.set_viewport_size({"width": width, "height": height})
        desktop.open("compare")
        desktop.choose(two_faces(), into="first")
        desktop.choose(ASTRONAUT, into="second")
        first = desktop.page.get_by_role("group", name="First picture")
        small, large = (
            first.get_by_role("button", name=f"Face {number} of 2 in the first picture") for number in (2, 1)
        )
        # The largest face of a picture comes first.
        expect(large).to_have_attribute("aria-pressed", "true")
        verdict = desktop.page.locator("#compare-verdict")
        expect(verdict).to_have_text("Probably not the same person")
        expect(verdict).to_be_in_viewport(ratio=1)

        small.click()

        expect(verdict).to_have_text("Very likely the same person")
        expect(verdict).to_be_in_viewport(ratio=1)
        expect(desktop.page.locator("#compare-rate")).to_be_in_viewport(ratio=1)
        expect(large).to_have_attribute("aria-pressed", "false")

    def test_the_highest_measured_rate_is_beside_the_verdict(self, desktop: Console, api: HttpApi) -> None:
        answer_with(desktop.page, {"1e-3": 9, "1e-4": 8}, {"1e-3": 0.002, "1e-4": 0.002})
        desktop.open("compare")
        desktop.choose(ASTRONAUT, into="first")
        desktop.choose(drawing(), into="second")

        expect(desktop.page.locator("#compare-rate")).to_have_text(
            "Of 10,000 pairs of strangers, at most 1 is this alike; in some groups of people up to 20."
        )
        [weakness, *_] = api.get("/info").body["model"]["weaknesses"] or [""]
        expect(desktop.page.locator("#compare-weakness")).to_have_text(weakness)

    def test_a_rate_that_holds_for_every_group_stands_alone(self, desktop: Console) -> None:
        answer_with(desktop.page, {"1e-3": 9, "1e-4": 8})
        desktop.open("compare")
        desktop.choose(ASTRONAUT, into="first")
        desktop.choose(drawing(), into="second")

        expect(desktop.page.locator("#compare-rate")).to_have_text(
            "Of 10,000 pairs of strangers, at most 1 is this alike."
        )

    def test_a_picture_without_a_face(self, desktop: Console) -> None:
        desktop.open("compare")
        desktop.choose(ASTRONAUT, into="first")
        desktop.choose(pictures.jpeg(pictures.cat()), into="second")

        expect(desktop.alert).to_contain_text("No face was found in the second picture.")

    def test_a_face_that_has_expired(self, desktop: Console, api: HttpApi) -> None:
        desktop.open("compare")
        with desktop.page.expect_response("**/detect") as detected:
            desktop.choose(ASTRONAUT, into="first")
        token = detected.value.json()["faces"][0]["face_token"]
        api.post("/addface", face_token=token)
        api.remove(token)
        desktop.choose(MIRRORED, into="second")

        expect(desktop.alert).to_contain_text("Open the picture again.")
        desktop.watch.forgive_refusals()
