"""Many faces are named and selected before they are added, by picture or by person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests import pictures
from tests.browser.conftest import PHONE
from tests.browser.console import Console, file
from tests.browser.many import added, answer_groups, forgive_broken_requests, heading, name_of, press, report
from tests.browser.test_keyboard import tab_to
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import blurred, drawing, two_faces

ASTRONAUT = pictures.jpeg(pictures.astronaut())
WIDE = {"width": 1440, "height": 900}


class TestReview:
    def test_names_are_edited(self, console: Console, api: HttpApi, tmp_path: Path) -> None:
        folder = tmp_path / "Ada Lovelace"
        folder.mkdir()
        (folder / "1.jpg").write_bytes(ASTRONAUT)
        (folder / "2.png").write_bytes(pictures.png(pictures.astronaut()))
        console.open("add")
        console.page.locator("#bulk-folder").set_input_files(folder)
        name_of(console, "Ada Lovelace/1.jpg").fill(" Ada Byron ")
        console.page.keyboard.press("Enter")
        assert added(api) == []
        press(console, "Rename 1 other picture of Ada Lovelace too")
        expect(name_of(console, "Ada Lovelace/1.jpg")).to_be_focused()
        expect(name_of(console, "Ada Lovelace/2.png")).to_have_value("Ada Byron")
        # Names that were edited stay.
        console.page.get_by_label("Files").check()
        expect(name_of(console, "Ada Lovelace/2.png")).to_have_value("Ada Byron")
        press(console, "Add 2 faces")

        expect(heading(console, "2 faces added")).to_be_focused()
        assert added(api) == ["Ada Byron", "Ada Byron"]

    def test_a_selected_face_needs_a_name(self, desktop: Console, api: HttpApi) -> None:
        desktop.open("add")
        desktop.add_many({"ada.jpg": ASTRONAUT, "drawing.jpg": drawing()})
        name_of(desktop, "ada.jpg").fill("  ")
        press(desktop, "Add 2 faces")
        expect(name_of(desktop, "ada.jpg")).to_be_focused()
        name_of(desktop, "ada.jpg").fill("")
        press(desktop, "Add 2 faces")
        expect(name_of(desktop, "ada.jpg")).to_be_focused()
        desktop.page.get_by_role("checkbox", name="Add ada.jpg").uncheck()
        press(desktop, "Add 1 face")

        expect(heading(desktop, "1 face added")).to_be_visible()
        assert added(api) == ["Drawing"]

    def test_known_people_are_suggested(self, desktop: Console, api: HttpApi) -> None:
        api.added(blurred(), "Grace Hopper")
        desktop.open("add")
        desktop.add_many({"ada.jpg": ASTRONAUT})

        name_of(desktop, "ada.jpg").fill("hop")

        expect(desktop.page.locator("#known option")).to_have_attribute("value", "Grace Hopper")
        assert name_of(desktop, "ada.jpg").get_attribute("list") == "known"

    def test_all_are_selected(self, desktop: Console) -> None:
        desktop.open("add")
        desktop.add_many({"a.jpg": ASTRONAUT, "b.jpg": ASTRONAUT})
        everything = desktop.page.get_by_role("checkbox", name="Select all")
        expect(everything).not_to_be_checked()
        everything.check()
        expect(desktop.page.get_by_role("button", name="Add 2 faces")).to_be_enabled()
        everything.uncheck()

        expect(desktop.page.get_by_role("button", name="Add 0 faces")).to_be_disabled()

    def test_another_face_of_a_group_photograph(self, console: Console, api: HttpApi) -> None:
        console.open("add")
        with console.page.expect_response("**/detect") as response:
            console.add_many({"team.jpg": two_faces()})
        row = console.page.locator("#bulk-rows li")
        expect(row).to_contain_text("2 faces: the largest is added")
        console.page.get_by_role("radio", name="Face 2 of 2 in team.jpg").check()
        expect(row).to_contain_text("2 faces: the chosen one is added")
        name_of(console, "team.jpg").fill("Eileen Collins")
        console.page.get_by_role("checkbox", name="Add team.jpg").check()
        press(console, "Add 1 face")

        expect(heading(console, "1 face added")).to_be_visible()
        [face] = api.get("/faces").body["faces"]
        assert face["face_token"] == response.value.json()["faces"][1]["face_token"]

    def test_every_thumbnail_shows_a_face(self, desktop: Console) -> None:
        desktop.open("add")
        desktop.add_many({"ada.jpg": ASTRONAUT, "team.jpg": two_faces()})
        images = desktop.page.locator("#bulk-rows img")
        expect(images).to_have_count(4)

        desktop.page.wait_for_function(
            "() => [...document.querySelectorAll('#bulk-rows img')].every((image) => image.naturalWidth === 112)"
        )

    def test_people_who_look_alike_are_reported(self, desktop: Console, api: HttpApi) -> None:
        api.added(ASTRONAUT, "Eileen Collins")
        desktop.open("add")
        desktop.add_many({"ada.jpg": ASTRONAUT})
        press(desktop, "Add 1 face")

        expect(desktop.text("1 face looks like somebody with another name.")).to_be_visible()
        expect(desktop.page.get_by_role("list", name="What became of each file")).to_contain_text(
            "ada.jpgAdded as AdaLooks like Eileen Collins"
        )
        assert report(desktop)["ada.jpg"]["reason"] == "Looks like Eileen Collins"

    def test_without_digests_copies_stay_unnoticed(self, desktop: Console) -> None:
        desktop.page.add_init_script("delete Crypto.prototype.subtle")
        desktop.open("add")
        desktop.add_many({"a.jpg": ASTRONAUT, "b.jpg": ASTRONAUT})

        expect(desktop.page.get_by_role("button", name="Add 2 faces")).to_be_enabled()

    def test_by_keyboard(self, desktop: Console, api: HttpApi) -> None:
        desktop.open("add")
        with desktop.page.expect_file_chooser() as chooser:
            tab_to(desktop, "Choose pictures")
            desktop.page.keyboard.press("Enter")
        chooser.value.set_files(file(ASTRONAUT, "ada.jpg"))
        expect(heading(desktop, "1 of 1 file can be added")).to_be_focused()
        tab_to(desktop, "Name for ada.jpg")
        desktop.page.keyboard.type("Ada Lovelace")
        tab_to(desktop, "Add 1 face")
        desktop.page.keyboard.press("Enter")

        expect(heading(desktop, "1 face added")).to_be_focused()
        assert added(api) == ["Ada Lovelace"]


class TestGroups:
    def test_each_person_is_named_once(self, console: Console, api: HttpApi) -> None:
        # The tokens are in the order of the files: ada, blurred, cat has none, drawing, team with two faces.
        answer_groups(
            console, lambda tokens: {"groups": [tokens[:2] + tokens[4:], [tokens[2], tokens[3]]], "ungrouped": []}
        )
        console.open("add")
        files = {"drawing.jpg": drawing(), "ada.jpg": ASTRONAUT, "team.jpg": two_faces(), "blurred.jpg": blurred()}
        console.add_many({**files, "cat.jpg": pictures.jpeg(pictures.cat())})
        press(console, "Group by person")

        expect(console.page.get_by_role("button", name="Review by picture")).to_be_focused()
        expect(console.page.get_by_role("button", name="Add 0 faces")).to_be_disabled()
        # Poor faces are not selected.
        expect(console.page.get_by_role("checkbox", name="Person 1: blurred.jpg")).not_to_be_checked()
        console.page.get_by_role("checkbox", name="Person 1: team.jpg").check()
        console.page.get_by_role("combobox", name="Name of Person 1").fill("Eileen Collins")
        # The names stay while the pictures are reviewed.
        press(console, "Review by picture")
        press(console, "Group by person")
        press(console, "Add 2 faces")

        expect(heading(console, "2 faces added")).to_be_focused()
        assert added(api) == ["Eileen Collins", "Eileen Collins"]
        rows = report(console)
        assert [rows[name]["outcome"] for name in ("ada.jpg", "team.jpg", "drawing.jpg")] == [
            "added",
            "added",
            "left out",
        ]

    def test_single_faces_are_named_one_by_one(self, desktop: Console, api: HttpApi) -> None:
        answer_groups(desktop, lambda tokens: {"groups": [], "ungrouped": tokens})
        desktop.open("add")
        desktop.add_many({"blurred.jpg": blurred(), "drawing.jpg": drawing()})
        press(desktop, "Group by person")
        desktop.page.get_by_role("combobox", name="Name of Single face 1").fill("Eileen Collins")
        press(desktop, "Add 1 face")

        expect(heading(desktop, "1 face added")).to_be_visible()
        assert added(api) == ["Eileen Collins"]

    def test_a_failure_leaves_the_review(self, desktop: Console) -> None:
        desktop.page.route("**/groups", lambda route: route.abort())
        desktop.open("add")
        desktop.add_many({"ada.jpg": ASTRONAUT, "drawing.jpg": drawing()})
        press(desktop, "Group by person")

        expect(desktop.alert).to_contain_text("The service cannot be reached.")
        expect(desktop.page.get_by_role("button", name="Group by person")).to_be_visible()
        expect(desktop.page.get_by_role("button", name="Add 2 faces")).to_be_enabled()
        forgive_broken_requests(desktop)

    def test_more_faces_than_the_service_groups(self, desktop: Console, api: HttpApi) -> None:
        [face] = api.post("/detect", image_file=ASTRONAUT).body["faces"]
        desktop.page.route("**/detect", lambda route: route.fulfill(json={"faces": [face] * 1001}))
        desktop.open("add")
        desktop.add_many({"crowd.jpg": ASTRONAUT})
        press(desktop, "Group by person")

        expect(desktop.alert).to_contain_text(
            "These pictures have 1,001 faces. At most 1,000 can be grouped. Choose fewer pictures."
        )

    def test_the_service_groups_faces(self, desktop: Console, api: HttpApi) -> None:
        desktop.open("add")
        mirrored = pictures.jpeg(pictures.astronaut()[:, ::-1].copy())
        desktop.add_many({"1.jpg": ASTRONAUT, "2.jpg": mirrored, "3.jpg": drawing()})
        press(desktop, "Group by person")
        expect(desktop.page.get_by_role("checkbox", name="Person 1: ")).to_have_count(2)
        desktop.page.get_by_role("combobox", name="Name of Person 1").fill("Eileen Collins")
        press(desktop, "Add 2 faces")

        expect(heading(desktop, "2 faces added")).to_be_visible()
        assert added(api) == ["Eileen Collins", "Eileen Collins"]


class TestLayout:
    @pytest.mark.parametrize("size", [WIDE, PHONE["viewport"]], ids=["wide", "phone"])
    def test_no_step_is_wider_than_the_screen(self, desktop: Console, size: Any) -> None:
        desktop.page.set_viewport_size(size)
        answer_groups(desktop, lambda tokens: {"groups": [tokens], "ungrouped": []})
        desktop.open("add")
        desktop.add_many({"W" * 200 + ".jpg": ASTRONAUT, **{f"team {n}.jpg": two_faces() for n in range(3)}})
        expect(heading(desktop, "4 of 4 files can be added")).to_be_visible()
        assert fits(desktop)
        press(desktop, "Group by person")
        desktop.page.get_by_role("combobox", name="Name of Person 1").fill("W" * 255)
        assert fits(desktop)
        desktop.page.locator("#bulk-add").click()
        expect(desktop.page.get_by_role("list", name="What became of each file")).to_be_visible()
        assert fits(desktop)


def fits(console: Console) -> bool:
    return bool(console.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
