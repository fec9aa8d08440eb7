"""A picture's face is found, named and managed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from tests import pictures
from tests.browser.console import Console
from tests.browser.gateway import Gateway
from tests.browser.rates import answer_with, words
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import blurred, drawing

ASTRONAUT = pictures.jpeg(pictures.astronaut())
# The same woman in a different file.
CHANGED = pictures.jpeg(np.ascontiguousarray(pictures.astronaut()[:300, 60:400, ::1][:, ::-1]), 80)
CAT = pictures.jpeg(pictures.cat())


class TestFind:
    def test_a_face_from_its_picture_to_its_name(self, console: Console, api: HttpApi) -> None:
        console.open()
        console.choose(ASTRONAUT)

        expect(console.faces).to_have_count(1)
        expect(console.faces).to_have_accessible_name("Who is this? face 1 of 1, looks good")
        expect(console.faces).to_have_attribute("aria-pressed", "true")
        expect(console.text("1 face: 1 without a name (512 × 512 px)")).to_be_visible()
        expect(console.text("This face set is empty.")).to_be_visible()

        console.name_face("Eileen Collins")
        console.choose(CHANGED)

        expect(console.matches).to_have_count(1)
        expect(console.matches).to_contain_text("Eileen Collins")
        found = api.search_picture(CHANGED)
        expect(console.matches).to_contain_text(words(found["cmp_result"][0]["distance"], found["thresholds"]))
        expect(console.chips).to_have_text("Eileen Collins?")
        crop = console.matches.locator("img")
        crop.scroll_into_view_if_needed()
        console.page.wait_for_function("image => image.naturalWidth > 0", arg=crop.element_handle())
        [face] = api.get("/faces").body["faces"]
        assert face["face_name"] == "Eileen Collins"

    def test_a_box_lies_where_the_face_is(self, console: Console, api: HttpApi) -> None:
        [face] = api.detect(ASTRONAUT)
        console.open()
        console.choose(ASTRONAUT)
        expect(console.faces).to_have_count(1)

        image = console.page.locator("#find-stage img").bounding_box()
        box = console.faces.bounding_box()

        assert image is not None
        assert box is not None
        scale = image["width"] / 512
        assert image["height"] == pytest.approx(image["width"], abs=1)
        assert box["x"] - image["x"] == pytest.approx(face["top_left"][0] * scale, abs=1)
        assert box["y"] - image["y"] == pytest.approx(face["top_left"][1] * scale, abs=1)
        assert box["x"] + box["width"] - image["x"] == pytest.approx(face["bottom_right"][0] * scale, abs=1)
        assert box["y"] + box["height"] - image["y"] == pytest.approx(face["bottom_right"][1] * scale, abs=1)
        dots = console.page.locator("#find-stage circle")
        assert dots.count() == 5
        for dot, (x, y) in zip(dots.all(), face["landmarks"], strict=True):
            place = dot.bounding_box()
            assert place is not None
            assert place["x"] + place["width"] / 2 - image["x"] == pytest.approx((x + 0.5) * scale, abs=1)
            assert place["y"] + place["height"] / 2 - image["y"] == pytest.approx((y + 0.5) * scale, abs=1)

    def test_a_face_is_added_then_renamed_then_removed(self, console: Console, api: HttpApi) -> None:
        console.open()
        console.choose(ASTRONAUT)
        console.name_face("Eileen Colins")
        console.name_field.fill("Eileen Collins")
        console.page.get_by_role("button", name="Rename").click()
        expect(console.chips).to_have_text("Eileen Collins")
        assert [face["face_name"] for face in api.get("/faces").body["faces"]] == ["Eileen Collins"]

        console.page.get_by_role("button", name="Remove Eileen Collins from the face set").click()

        expect(console.chips).to_have_text("Who is this?")
        expect(console.page.get_by_role("button", name="Add", exact=True)).to_be_visible()
        assert console.page.evaluate("document.activeElement !== document.body")
        # A new name undoes the removal.
        console.name_face("Eileen again")
        expect(console.notice.get_by_role("button", name="Undo")).to_be_hidden()
        assert [face["face_name"] for face in api.get("/faces").body["faces"]] == ["Eileen again"]

    def test_the_threshold_filters_what_is_shown(self, console: Console, api: HttpApi) -> None:
        api.added(blurred(), "Eileen Collins")
        api.added(drawing(), "A drawing")
        near, far = (match["distance"] for match in api.search(api.token(ASTRONAUT), "2")["cmp_result"])
        rates = {"1e-2": far - 0.01, "1e-3": (near + far) / 2, "1e-4": near - 0.01}
        answer_with(console.page, rates)
        requests = []
        console.page.on("request", lambda request: requests.append(request.url))
        console.open()
        console.choose(ASTRONAUT)

        # The initial threshold is 1 in 1,000.
        expect(console.matches).to_have_count(1)
        expect(console.matches).to_contain_text("Perhaps")
        expect(console.chips).to_have_text("Eileen Collins?")
        slider = console.page.get_by_role("slider", name="How alike must faces be?")
        assert float(slider.input_value()) == pytest.approx(rates["1e-3"], abs=0.005)
        slider.press("Home")
        expect(console.matches).to_have_count(0)
        expect(console.text("No one is this alike")).to_be_visible()
        expect(console.chips).to_have_text("Who is this?")
        slider.press("End")
        expect(console.matches).to_have_count(2)
        expect(console.matches.nth(0)).to_contain_text("Eileen Collins")
        expect(console.matches.nth(1)).to_contain_text("A drawing")
        expect(console.matches.nth(1)).to_contain_text("Of 100 pairs of strangers, more than 1 are this alike.")
        expect(console.matches.nth(1).get_by_text(f"Distance {far:.3f}")).to_be_hidden()
        console.matches.nth(1).get_by_text("Details").click()
        expect(console.matches.nth(1).get_by_text(f"Distance {far:.3f}")).to_be_visible()
        console.page.get_by_role("button", name="1 in 100", exact=True).click()
        expect(console.matches).to_have_count(1)
        expect(slider).to_have_attribute(
            "aria-valuetext", re.compile("Of 100 pairs of strangers, at most 1 is this alike")
        )
        assert len([url for url in requests if re.search("/search|/identify", url)]) == 1

    def test_a_model_whose_rates_were_not_measured(self, desktop: Console, api: HttpApi) -> None:
        api.added(ASTRONAUT, "Eileen Collins")
        answer_with(desktop.page, {})
        desktop.open()
        desktop.choose(CHANGED)

        expect(desktop.matches).to_contain_text("Perhaps")
        expect(desktop.matches).to_contain_text("was not measured for this model")
        expect(desktop.page.get_by_role("button", name="The authors' advice")).to_have_attribute("aria-pressed", "true")
        desktop.page.get_by_role("button", name="How sure is a match?").click()
        expect(desktop.dialog).to_contain_text("No error rates were measured.")

    def test_another_face_set_is_searched(self, desktop: Console, api: HttpApi) -> None:
        api.added(ASTRONAUT, "Eileen Collins")
        api.post("/face_sets", face_set="staff")
        desktop.open()
        desktop.choose(CHANGED)
        expect(desktop.chips).to_have_text("Eileen Collins?")

        desktop.page.get_by_label("Face set", exact=True).select_option("staff")

        expect(desktop.text("This face set is empty.")).to_be_visible()
        expect(desktop.chips).to_have_text("Who is this?")
        desktop.name_face("Eileen of the staff")
        [face] = api.get("/faces", face_set="staff").body["faces"]
        assert face["face_name"] == "Eileen of the staff"
        desktop.page.get_by_label("Face set", exact=True).select_option("default")
        expect(desktop.chips).to_have_text("Eileen Collins?")
        desktop.page.get_by_label("Face set", exact=True).select_option("staff")
        expect(desktop.chips).to_have_text("Eileen of the staff")


class TestTrouble:
    def test_a_picture_without_a_face(self, console: Console) -> None:
        console.open()
        console.choose(CAT)

        expect(console.text("No face found (451 × 300 px)")).to_be_visible()
        expect(console.text("Try a larger or sharper picture")).to_be_visible()

    @pytest.mark.parametrize(
        ("name", "mime", "words"),
        [
            ("notes.txt", "text/plain", "notes.txt is not a picture that this browser can open. Use a JPEG or PNG."),
            ("photo.heic", "image/heic", "photo.heic is an HEIC picture, which this browser cannot open."),
            ("broken.jpg", "image/jpeg", "broken.jpg is not a picture that this browser can open."),
        ],
    )
    def test_a_file_that_is_no_picture(self, desktop: Console, name: str, mime: str, words: str) -> None:
        desktop.open()
        choose = desktop.page.get_by_role("button", name="Choose a picture")
        choose.focus()
        desktop.choose(b"Not a picture", name, mime)

        expect(desktop.alert).to_contain_text(words)
        expect(choose).to_be_focused()

    def test_a_picture_that_is_too_small(self, desktop: Console) -> None:
        desktop.open()
        desktop.choose(pictures.jpeg(pictures.scaled(pictures.astronaut(), 40, 40)))

        expect(desktop.alert).to_contain_text("sides must be 48 to 4096 px")
        desktop.watch.forgive_refusals()

    def test_a_service_that_is_busy_for_a_moment(self, deployed: Console, front: Gateway) -> None:
        deployed.open()
        front.answer_next(503, "identify", 1, Retry_After="1")
        front.answer_next(429, "addface", 1)
        deployed.choose(ASTRONAUT)
        deployed.name_face("Eileen Collins")

        assert front.requests.count("POST identify") == 2
        assert front.requests.count("POST addface") == 2
        deployed.watch.forgive_refusals()

    def test_a_service_that_stays_busy(self, deployed: Console, front: Gateway) -> None:
        deployed.open()
        front.answer_next(429, "identify", 4, Retry_After="0.1")
        deployed.choose(ASTRONAUT)

        expect(deployed.alert).to_contain_text("The service is busy. Wait a moment, then try again.")

        deployed.choose(ASTRONAUT)
        expect(deployed.faces).to_have_count(1)
        expect(deployed.alert).to_have_count(0)
        deployed.watch.forgive_refusals()

    def test_no_connection(self, desktop: Console) -> None:
        desktop.open()
        desktop.page.context.set_offline(True)
        desktop.choose(ASTRONAUT)

        expect(desktop.alert).to_contain_text("The service cannot be reached. Check your connection, then try again.")
        desktop.watch.complaints = [
            text for text in desktop.watch.complaints if "ERR_INTERNET_DISCONNECTED" not in text
        ]

    def test_an_expired_face(self, desktop: Console, api: HttpApi) -> None:
        desktop.open()
        desktop.choose(ASTRONAUT)
        desktop.name_face("Eileen Collins")
        [face] = api.get("/faces").body["faces"]
        api.remove(face["face_token"])
        desktop.name_field.fill("Another name")
        desktop.page.get_by_role("button", name="Rename").click()

        expect(desktop.alert).to_contain_text("This face no longer exists.")
        desktop.watch.forgive_refusals()

    def test_a_name_is_text(self, desktop: Console, api: HttpApi) -> None:
        name = '<img src=x onerror=alert(1)> & "Zoë" 李小龍'
        api.added(ASTRONAUT, name)
        desktop.open()
        desktop.choose(CHANGED)

        expect(desktop.matches.locator("strong")).to_have_text(name)
        expect(desktop.chips).to_have_text(f"{name}?")
        desktop.go("People")
        expect(desktop.view("people").locator("strong").first).to_have_text(name)
