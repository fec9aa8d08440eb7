"""Everyone in a picture is named, one face after the other."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from playwright.sync_api import Locator, expect

from chalicelib.faces import Image
from infra.local import sample_face
from tests import pictures
from tests.browser.console import Console
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import changed_astronauts, drawing, two_faces

ASTRONAUT = pictures.jpeg(pictures.astronaut())
# Another file of the same photograph, so much alike that every pack is sure.
COARSE = changed_astronauts()["coarse"]


def side_by_side(*parts: Image) -> bytes:
    return pictures.jpeg(np.hstack(parts))


# The same woman twice.
TWICE = side_by_side(pictures.astronaut(), np.ascontiguousarray(pictures.astronaut()[:, ::-1]))


def large_drawing() -> Image:
    """Return the drawn face, mirrored and as high as the photograph."""
    return pictures.scaled(np.ascontiguousarray(sample_face.draw()[:, ::-1]), 512, 512)


def names(api: HttpApi) -> list[str]:
    return sorted(face["face_name"] for face in api.get("/faces").body["faces"])


class TestNaming:
    def test_enter_goes_from_one_unnamed_face_to_the_next(self, console: Console, api: HttpApi) -> None:
        console.open()
        console.choose(two_faces())
        expect(console.chips).to_have_text(["Who is this?", "Who is this?"])
        expect(console.page.get_by_text("Face 1 of 2", exact=True)).to_be_visible()

        console.name_face("Eileen Collins")
        expect(console.page.get_by_text("Face 2 of 2", exact=True)).to_be_visible()
        expect(console.name_field).to_be_in_viewport()
        console.name_face("A drawing")

        expect(console.chips).to_have_text(["Eileen Collins", "A drawing"])
        expect(console.text("2 faces: 2 named")).to_be_visible()
        assert names(api) == ["A drawing", "Eileen Collins"]

    def test_enter_alone_confirms_every_guess(self, desktop: Console, api: HttpApi) -> None:
        api.added(COARSE, "Eileen Collins")
        api.added(drawing(), "A drawing")
        desktop.open()
        desktop.choose(side_by_side(pictures.astronaut(), large_drawing()))
        expect(desktop.chips).to_have_text(["Eileen Collins?", "A drawing?"])
        expect(desktop.name_field).to_be_focused()

        desktop.page.keyboard.press("Enter")
        expect(desktop.chips).to_have_text(["Eileen Collins", "A drawing?"])
        expect(desktop.name_field).to_have_value("A drawing")
        expect(desktop.name_field).to_be_focused()
        desktop.page.keyboard.press("Enter")

        expect(desktop.chips).to_have_text(["Eileen Collins", "A drawing"])
        expect(desktop.name_field).to_be_focused()
        assert names(api) == ["A drawing", "A drawing", "Eileen Collins", "Eileen Collins"]

    def test_one_click_confirms_a_guess(self, console: Console, api: HttpApi) -> None:
        api.added(COARSE, "Eileen Collins")
        console.open()
        console.choose(ASTRONAUT)
        expect(console.page.locator(".face.guess")).to_have_css("border-top-style", "dashed")

        console.page.get_by_role("button", name="Confirm Eileen Collins, face 1 of 1").click()

        expect(console.chips).to_have_text("Eileen Collins")
        expect(console.page.locator(".face.saved")).to_have_css("border-top-style", "solid")
        assert names(api) == ["Eileen Collins", "Eileen Collins"]
        assert console.page.evaluate("document.activeElement !== document.body")

    def test_another_name_replaces_a_wrong_guess(self, desktop: Console, api: HttpApi) -> None:
        api.added(COARSE, "Ada Lovelace")
        desktop.open()
        desktop.choose(ASTRONAUT)
        expect(desktop.name_field).to_have_value("Ada Lovelace")
        desktop.name_face("Eileen Collins")

        expect(desktop.chips).to_have_text("Eileen Collins")
        assert names(api) == ["Ada Lovelace", "Eileen Collins"]

    def test_a_person_who_looks_the_same_under_another_name_is_offered(self, desktop: Console, api: HttpApi) -> None:
        api.added(COARSE, "Eileen Collins")
        desktop.open()
        desktop.choose(ASTRONAUT)
        desktop.name_face("E. Collins")
        expect(desktop.text("E. Collins looks like Eileen Collins: the same person?")).to_be_visible()

        desktop.page.get_by_role("button", name="Yes, rename to Eileen Collins").click()

        expect(desktop.chips).to_have_text("Eileen Collins")
        expect(desktop.page.locator("#find-similar")).to_be_hidden()
        expect(desktop.name_field).to_be_focused()
        assert names(api) == ["Eileen Collins", "Eileen Collins"]

    def test_two_people_who_look_the_same_keep_their_names(self, desktop: Console, api: HttpApi) -> None:
        api.added(COARSE, "Eileen Collins")
        desktop.open()
        desktop.choose(ASTRONAUT)
        desktop.name_face("Her twin")
        desktop.page.get_by_role("button", name="No, two people").click()

        expect(desktop.page.locator("#find-similar")).to_be_hidden()
        expect(desktop.name_field).to_be_focused()
        assert names(api) == ["Eileen Collins", "Her twin"]

    def test_an_addition_changes_the_other_guesses(self, desktop: Console) -> None:
        desktop.open()
        desktop.choose(TWICE)
        expect(desktop.chips).to_have_text(["Who is this?", "Who is this?"])
        desktop.name_face("Eileen Collins")

        expect(desktop.chips).to_have_text(["Eileen Collins", "Eileen Collins?"])
        expect(desktop.name_field).to_have_value("Eileen Collins")

    def test_the_same_picture_has_its_names_and_adds_no_second_face(self, desktop: Console, api: HttpApi) -> None:
        api.added(ASTRONAUT, "Eileen Colins")
        desktop.open()
        desktop.choose(ASTRONAUT)
        expect(desktop.page.locator(".face.saved")).to_have_count(1)
        desktop.name_face("Eileen Collins")

        assert names(api) == ["Eileen Collins"]

    def test_a_face_without_a_name_in_the_face_set_gets_one(self, desktop: Console, api: HttpApi) -> None:
        api.post("/addface", face_token=api.token(ASTRONAUT))
        desktop.open()
        desktop.choose(ASTRONAUT)
        expect(desktop.chips).to_have_text("Who is this?")
        desktop.name_face("Eileen Collins")

        assert names(api) == ["Eileen Collins"]


class TestNames:
    @pytest.mark.parametrize("blanks", ["", "   ", "\u00a0\u2003"])
    def test_a_name_of_blanks_cannot_be_given(self, desktop: Console, api: HttpApi, blanks: str) -> None:
        desktop.open()
        desktop.choose(ASTRONAUT)
        expect(desktop.faces).to_have_count(1)
        desktop.name_field.fill(blanks)
        desktop.name_field.press("Enter")

        assert not desktop.name_field.evaluate("field => field.checkValidity()")
        expect(desktop.chips).to_have_text("Who is this?")
        assert names(api) == []

    def test_the_name_of_faces_without_a_name_cannot_be_given(self, desktop: Console, api: HttpApi) -> None:
        desktop.open()
        desktop.choose(ASTRONAUT)
        expect(desktop.faces).to_have_count(1)
        desktop.name_field.fill(" Unknown")
        desktop.name_field.press("Enter")

        expect(desktop.alert).to_contain_text("Use another name.")
        assert names(api) == []

    @pytest.mark.parametrize("typed", ["zoe", "Saldana", "Zoë Sladana"])
    def test_names_that_are_similar_to_what_is_typed_are_offered(
        self, desktop: Console, api: HttpApi, typed: str
    ) -> None:
        api.added(drawing(), "Zoë Saldaña")
        desktop.open()
        desktop.choose(ASTRONAUT)
        expect(desktop.faces).to_have_count(1)
        desktop.name_field.fill(typed)
        desktop.page.get_by_role("list", name="People with a similar name").get_by_role(
            "button", name="Zoë Saldaña", exact=True
        ).click()

        expect(desktop.chips).to_have_text("Zoë Saldaña")
        assert names(api) == ["Zoë Saldaña", "Zoë Saldaña"]

    def test_every_match_can_be_chosen(self, desktop: Console, api: HttpApi) -> None:
        api.added(COARSE, "Eileen Collins")
        api.added(changed_astronauts()["darker"], "Pam Melroy")
        desktop.open()
        desktop.choose(ASTRONAUT)
        expect(desktop.matches).to_have_count(2)
        desktop.page.get_by_role("button", name="Choose Pam Melroy").click()

        expect(desktop.chips).to_have_text("Pam Melroy")


class TestChips:
    def test_no_chip_is_cut_off_or_covers_another(self, console: Console, api: HttpApi) -> None:
        """Three faces at the edges of a picture, with a name that fits on no line."""
        face = np.ascontiguousarray(pictures.astronaut()[60:240, 130:310])
        long_name = "Wolfeschlegelsteinhausenbergerdorff the Second"
        api.added(COARSE, long_name)
        console.open()
        console.choose(side_by_side(face, np.ascontiguousarray(face[:, ::-1]), face))
        expect(console.chips).to_have_count(3)
        expect(console.chips.first).to_have_text(f"{long_name}?")

        frame = box(console.page.locator("#find-stage .frame"))
        shown = console.page.locator("#find-stage .chip:not(.away)")
        expect(console.page.locator(".face[aria-pressed=true] .chip:not(.away)")).to_be_visible()
        chips = [box(chip) for chip in shown.all()]
        for left, top, right, bottom in chips:
            assert frame[0] - 1 <= left < right <= frame[2] + 1
            assert frame[1] - 1 <= top < bottom <= frame[3] + 1
        assert not any(overlap(one, other) for one, other in combinations(chips, 2))
        for chip in shown.all():
            assert chip.evaluate("it => it.scrollWidth <= it.clientWidth + 1 && it.scrollHeight <= it.clientHeight + 1")

    def test_in_a_crowd_a_name_without_room_is_shown_with_its_chosen_face(self, console: Console, api: HttpApi) -> None:
        api.added(COARSE, "Eileen Marie Collins")
        small = pictures.scaled(pictures.astronaut(), 200, 200)
        console.open()
        console.choose(pictures.jpeg(np.tile(small, (2, 9, 1))))
        expect(console.faces).to_have_count(18)
        hidden = console.page.locator(".face:has(.chip.away)")
        expect(hidden.first).to_be_visible()
        ticks = console.page.locator(".tick:visible")
        assert ticks.count() == 18 - hidden.count()

        face = hidden.first.element_handle()
        assert face is not None
        face.click()
        # A face that is pointed at shows its name anyway.
        console.page.mouse.move(1, 1)

        console.page.wait_for_function("face => !face.querySelector('.chip.away')", arg=face)

    def test_chips_stay_in_the_picture_when_the_window_becomes_narrow(self, desktop: Console) -> None:
        desktop.open()
        desktop.choose(TWICE)
        expect(desktop.chips).to_have_count(2)
        desktop.page.set_viewport_size({"width": 390, "height": 844})

        desktop.page.wait_for_function(
            """() => {
                const frame = document.querySelector("#find-stage .frame").getBoundingClientRect();
                return frame.width < 400 && [...document.querySelectorAll("#find-stage .chip")].every((chip) => {
                    const { left, right } = chip.getBoundingClientRect();
                    return left >= frame.left - 1 && right <= frame.right + 1;
                });
            }"""
        )


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return min(one[2], other[2]) - max(one[0], other[0]) > 1 and min(one[3], other[3]) - max(one[1], other[1]) > 1


def box(part: Locator) -> tuple[float, float, float, float]:
    """Return the left, top, right and bottom of an element."""
    found = part.bounding_box()
    assert found is not None
    return found["x"], found["y"], found["x"] + found["width"], found["y"] + found["height"]
