"""A folder of pictures is reviewed and added at once."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Route, expect

from tests import pictures
from tests.browser.conftest import PHONE
from tests.browser.console import WAIT_MILLISECONDS, Console, file
from tests.browser.gateway import Gateway
from tests.browser.test_keyboard import tab_to
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import blurred, drawing, two_faces

ASTRONAUT = pictures.jpeg(pictures.astronaut())
WIDE = {"width": 1440, "height": 900}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    people = tmp_path / "people"
    files = {
        "Ada Lovelace/1.jpg": ASTRONAUT,
        "Ada Lovelace/2.png": pictures.png(pictures.astronaut()),
        "grace_hopper.jpg": ASTRONAUT,
        "cat.jpg": pictures.jpeg(pictures.cat()),
        "blurred.jpg": blurred(),
        "broken.jpg": ASTRONAUT[:9000],
        "=SUM(A1).jpg": b"not a picture",
        "notes.txt": b"no picture at all",
        ".DS_Store": b"\0",
    }
    for name, content in files.items():
        (people / name).parent.mkdir(parents=True, exist_ok=True)
        (people / name).write_bytes(content)
    return people


def added(api: HttpApi, **arguments: str) -> list[str]:
    return sorted(face["face_name"] for face in api.get("/faces", **arguments).body["faces"])


def heading(console: Console, words: str) -> Locator:
    return console.page.get_by_role("heading", name=words, exact=True)


def name_of(console: Console, path: str) -> Locator:
    return console.page.get_by_role("textbox", name=f"Name for {path}")


def press(console: Console, button: str) -> None:
    console.page.get_by_role("button", name=button, exact=True).click()


def report(console: Console) -> dict[str, dict[str, str]]:
    """Return the rows of the downloaded report by file."""
    with console.page.expect_download() as download:
        press(console, "Download the report (CSV)")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    return {row["file"]: row for row in csv.DictReader(text.splitlines())}


class TestBulk:
    def test_a_folder_with_failures(self, console: Console, api: HttpApi, folder: Path) -> None:
        console.open("add")
        console.page.locator("#bulk-folder").set_input_files(folder)

        expect(heading(console, "4 of 9 files can be added")).to_be_focused()
        assert added(api) == []
        expect(name_of(console, "people/Ada Lovelace/1.jpg")).to_have_value("Ada Lovelace")
        expect(name_of(console, "people/grace_hopper.jpg")).to_have_value("People")
        rows = console.page.locator("#bulk-rows li")
        expect(rows.filter(has_text="blurred.jpg")).to_contain_text("the face is blurred")
        expect(rows.filter(has_text="grace_hopper.jpg")).to_contain_text(
            "the same picture as people/Ada Lovelace/1.jpg, under another name"
        )
        for path, selected in (("Ada Lovelace/2.png", True), ("blurred.jpg", False), ("grace_hopper.jpg", False)):
            expect(console.page.get_by_role("checkbox", name=f"Add people/{path}")).to_be_checked(checked=selected)
        console.page.get_by_text("5 files without a face to add").click()
        expect(console.text("people/cat.jpgNo face was found in this picture.")).to_be_visible()
        press(console, "Add 2 faces")

        expect(heading(console, "2 faces added")).to_be_focused()
        assert added(api) == ["Ada Lovelace", "Ada Lovelace"]
        expect(console.text("7 files were left out.")).to_be_visible()
        expect(console.page.get_by_role("button", name="Retry")).to_have_count(0)
        rows_of_report = report(console)
        assert len(rows_of_report) == 9
        assert len(rows_of_report["people/Ada Lovelace/1.jpg"]["face_token"]) == 24
        assert rows_of_report["people/blurred.jpg"]["reason"].startswith("Not selected; the face is blurred")
        assert rows_of_report["people/notes.txt"]["reason"] == "This file is not a picture."
        assert {row["outcome"] for row in rows_of_report.values()} == {"added", "left out"}

    def test_a_cell_of_the_report_is_no_formula(self, desktop: Console) -> None:
        desktop.open("add")
        desktop.add_many({"=SUM(A1).jpg": ASTRONAUT})
        press(desktop, "Add 1 face")

        expect(heading(desktop, "1 face added")).to_be_visible()
        assert report(desktop)["'=SUM(A1).jpg"]["name"] == "'=SUM(A1)"

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("Ada Lovelace.jpg", "Ada Lovelace"),
            ("ada_lovelace-2.jpg", "Ada Lovelace"),
            ("Ada Lovelace (3).png", "Ada Lovelace"),
            ("ada_lovelace_0012.jpeg", "Ada Lovelace"),
            ("jean-luc picard 1.JPG", "Jean-Luc Picard"),
            ("Leonardo da Vinci.jpg", "Leonardo da Vinci"),
            ("李小龍.jpg", "李小龍"),
            ("jose\N{COMBINING ACUTE ACCENT} 2.jpg", "Jos\N{LATIN SMALL LETTER E WITH ACUTE}"),
            ("2024.jpg", "2024"),
            ("dr. who.jpg", "Dr. Who"),
        ],
    )
    def test_names_by_files(self, desktop: Console, path: str, name: str) -> None:
        desktop.open("add")
        desktop.add_many({path: ASTRONAUT})

        expect(desktop.page.get_by_role("textbox", name="Name for")).to_have_value(name)

    def test_a_folder_is_dropped(self, desktop: Console, folder: Path) -> None:
        desktop.open("add")
        box = desktop.page.locator("#bulk-drop").bounding_box()
        assert box is not None
        devtools = desktop.page.context.new_cdp_session(desktop.page)
        data = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            devtools.send(
                "Input.dispatchDragEvent", {"type": kind, "x": box["x"] + 50, "y": box["y"] + 50, "data": data}
            )

        expect(heading(desktop, "4 of 9 files can be added")).to_be_focused()
        expect(name_of(desktop, "people/Ada Lovelace/1.jpg")).to_have_value("Ada Lovelace")

    def test_nothing_to_add(self, desktop: Console) -> None:
        desktop.open("add")
        desktop.page.locator("#bulk-files").set_input_files(file(b"text", "notes.txt", "text/plain"))

        expect(desktop.alert).to_have_text("None of these files is a picture.")


class TestReview:
    def test_names_are_edited(self, console: Console, api: HttpApi, folder: Path) -> None:
        console.open("add")
        console.page.locator("#bulk-folder").set_input_files(folder / "Ada Lovelace")
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


class TestTrouble:
    def test_a_service_that_is_busy(self, deployed: Console, front: Gateway, api: HttpApi) -> None:
        deployed.open("add")
        front.answer_next(429, "detect", 2, Retry_After="1")
        front.answer_next(503, "addface", 1, Retry_After="1")
        deployed.add_many({f"{name}.jpg": ASTRONAUT for name in "abcde"})
        deployed.page.get_by_role("checkbox", name="Select all").check()
        press(deployed, "Add 5 faces")

        expect(heading(deployed, "5 faces added")).to_be_visible()
        assert added(api) == ["A", "B", "C", "D", "E"]
        deployed.watch.forgive_refusals()

    def test_three_requests_at_a_time_until_it_is_stopped(self, desktop: Console, api: HttpApi) -> None:
        detections: list[Route] = []

        def first_five(route: Route) -> None:
            """Forward five requests; leave the others without an answer."""
            detections.append(route)
            if len(detections) <= 5:
                route.continue_()

        desktop.page.route("**/detect", first_five)
        desktop.open("add")
        desktop.add_many({f"person {chr(97 + n % 26)}{n}.jpg": ASTRONAUT for n in range(60)})
        expect(desktop.text("5 of 60")).to_be_visible()
        for _ in range(WAIT_MILLISECONDS // 50):
            if len(detections) >= 5 + 3:
                break
            desktop.page.wait_for_timeout(50)
        # Leave time for a fourth request.
        desktop.page.wait_for_timeout(500)
        assert len(detections) == 5 + 3
        press(desktop, "Stop")

        expect(heading(desktop, "5 of 60 files can be added")).to_be_focused()
        expect(desktop.text("55 pictures were not read.")).to_be_visible()
        desktop.page.get_by_role("checkbox", name="Select all").check()
        press(desktop, "Add 5 faces")
        expect(desktop.text("55 pictures were not tried.")).to_be_visible()
        assert len(added(api)) == 5
        assert len(detections) == 5 + 3

        desktop.page.unroute("**/detect")
        press(desktop, "Retry 55 pictures")
        expect(heading(desktop, "55 of 60 files can be added")).to_be_focused()

    def test_pictures_that_could_not_be_read_are_tried_again(self, desktop: Console) -> None:
        desktop.page.route("**/detect", lambda route: route.abort(), times=1)
        desktop.open("add")
        desktop.add_many({"ada.jpg": ASTRONAUT, "drawing.jpg": drawing()})
        expect(desktop.text("1 picture was not read.")).to_be_visible()
        name = desktop.page.get_by_role("textbox", name="Name for")
        name.fill("Kept")
        press(desktop, "Retry")

        expect(heading(desktop, "2 of 2 files can be added")).to_be_focused()
        assert "Kept" in [field.input_value() for field in name.all()]
        press(desktop, "Add 2 faces")
        expect(heading(desktop, "2 faces added")).to_be_visible()
        forgive_broken_requests(desktop)

    def test_faces_that_could_not_be_added_are_tried_again(self, desktop: Console, api: HttpApi) -> None:
        desktop.page.route("**/addface", lambda route: route.abort(), times=1)
        desktop.open("add")
        desktop.add_many({"ada.jpg": ASTRONAUT, "drawing.jpg": drawing()})
        press(desktop, "Add 2 faces")
        expect(heading(desktop, "1 face added, 1 failed")).to_be_focused()
        expect(desktop.text("The service cannot be reached.")).to_be_visible()
        press(desktop, "Retry 1 face")

        expect(heading(desktop, "2 faces added")).to_be_focused()
        assert added(api) == ["Ada", "Drawing"]
        assert {row["outcome"] for row in report(desktop).values()} == {"added"}
        forgive_broken_requests(desktop)

    def test_additions_are_stopped_and_continued(self, desktop: Console, api: HttpApi) -> None:
        desktop.page.route("**/addface", lambda _: None)
        desktop.open("add")
        desktop.add_many({"ada.jpg": ASTRONAUT, "drawing.jpg": drawing()})
        press(desktop, "Add 2 faces")
        press(desktop, "Stop")
        expect(heading(desktop, "Stopped: 0 faces added")).to_be_focused()
        expect(desktop.text("2 pictures were not tried.")).to_be_visible()
        desktop.page.unroute("**/addface")
        press(desktop, "Retry 2 faces")

        expect(heading(desktop, "2 faces added")).to_be_focused()
        assert added(api) == ["Ada", "Drawing"]


Reply = Callable[[list[str]], dict[str, Any]]


def answer_groups(console: Console, reply: Reply) -> None:
    """Answer /groups in place of the service."""
    console.page.route(
        "**/groups", lambda route: route.fulfill(json=reply(json.loads(route.request.post_data or "")["face_tokens"]))
    )


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
        console.page.get_by_role("textbox", name="Name of Person 1").fill("Eileen Collins")
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
        desktop.page.get_by_role("textbox", name="Name of Single face 1").fill("Eileen Collins")
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

    @pytest.mark.skip(reason="the service has no /groups yet")
    def test_the_service_groups_faces(self, desktop: Console, api: HttpApi) -> None:
        desktop.open("add")
        mirrored = pictures.jpeg(pictures.astronaut()[:, ::-1].copy())
        desktop.add_many({"1.jpg": ASTRONAUT, "2.jpg": mirrored, "3.jpg": drawing()})
        press(desktop, "Group by person")
        expect(desktop.page.get_by_role("checkbox", name="Person 1: ")).to_have_count(2)
        desktop.page.get_by_role("textbox", name="Name of Person 1").fill("Eileen Collins")
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
        desktop.page.get_by_role("textbox", name="Name of Person 1").fill("W" * 255)
        assert fits(desktop)
        desktop.page.locator("#bulk-add").click()
        expect(desktop.page.get_by_role("list", name="What became of each file")).to_be_visible()
        assert fits(desktop)


def fits(console: Console) -> bool:
    return bool(console.page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def forgive_broken_requests(console: Console) -> None:
    console.watch.complaints = [text for text in console.watch.complaints if "net::ERR_FAILED" not in text]
