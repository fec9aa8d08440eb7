"""The faces of many pictures are found and added, and a report says what became of every file."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests import pictures
from tests.browser.console import WAIT_MILLISECONDS, Console, file
from tests.browser.gateway import Gateway
from tests.browser.many import added, forgive_broken_requests, heading, name_of, press, report
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import blurred, drawing

ASTRONAUT = pictures.jpeg(pictures.astronaut())


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

    def test_names_by_files(self, desktop: Console) -> None:
        names = {
            "Ada Lovelace.jpg": "Ada Lovelace",
            "ada_lovelace-2.jpg": "Ada Lovelace",
            "Ada Lovelace (3).png": "Ada Lovelace",
            "ada_lovelace_0012.jpeg": "Ada Lovelace",
            "jean-luc picard 1.JPG": "Jean-Luc Picard",
            "Leonardo da Vinci.jpg": "Leonardo da Vinci",
            "李小龍.jpg": "李小龍",
            "jose\N{COMBINING ACUTE ACCENT} 2.jpg": "Jos\N{LATIN SMALL LETTER E WITH ACUTE}",
            "2024.jpg": "2024",
            "dr. who.jpg": "Dr. Who",
        }
        desktop.open("add")
        desktop.add_many(dict.fromkeys(names, ASTRONAUT))

        for path, name in names.items():
            field = desktop.page.get_by_role("combobox", name=f"Name for {path}", exact=True)
            expect(field).to_have_value(name)

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

        expect(desktop.alert).to_contain_text("None of these files is a picture.")


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
        name = desktop.page.get_by_role("combobox", name="Name for")
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
