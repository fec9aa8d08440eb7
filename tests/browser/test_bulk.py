"""A folder of pictures is added at once."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests import pictures
from tests.browser.console import WAIT_MILLISECONDS, Console, file
from tests.browser.gateway import Gateway
from tests.e2e.http_api import HttpApi
from tests.e2e.pictures import blurred

ASTRONAUT = pictures.jpeg(pictures.astronaut())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    people = tmp_path / "people"
    files = {
        "Ada Lovelace/1.jpg": ASTRONAUT,
        "Ada Lovelace/2.png": pictures.png(pictures.astronaut()),
        "grace_hopper.jpg": ASTRONAUT,
        "cat.jpg": pictures.jpeg(pictures.cat()),
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


class TestBulk:
    def test_a_folder_with_failures(self, console: Console, api: HttpApi, folder: Path) -> None:
        console.open("add")
        console.page.locator("#bulk-folder").set_input_files(folder)

        expect(console.page.get_by_role("heading", name="6 pictures; 2 other files skipped")).to_be_focused()
        expect(console.page.get_by_label("Folders")).to_be_checked()
        expect(console.page.locator("#bulk-preview")).to_contain_text("Ada Lovelace 2 pictures")
        console.page.get_by_role("button", name="Start adding").click()

        expect(console.page.get_by_role("heading", name="3 faces added, 3 failed")).to_be_focused()
        assert added(api) == ["Ada Lovelace", "Ada Lovelace", "Grace Hopper"]
        failures = console.page.get_by_role("list", name="Pictures that failed")
        expect(failures.locator("li")).to_have_count(3)
        expect(failures).to_contain_text("people/cat.jpgNo face was found in this picture.")
        with console.page.expect_download() as download:
            console.page.get_by_role("button", name="Download the report").click()
        report = Path(download.value.path()).read_text(encoding="utf-8-sig")
        rows = {row["file"]: row for row in csv.DictReader(report.splitlines())}
        assert len(rows) == 6
        assert rows["people/cat.jpg"]["outcome"] == "failed"
        assert rows["people/grace_hopper.jpg"]["name"] == "Grace Hopper"
        assert len(rows["people/grace_hopper.jpg"]["face_token"]) == 24
        assert rows["people/=SUM(A1).jpg"]["name"] == "'=SUM(A1)"

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

        expect(desktop.page.locator("#bulk-preview strong")).to_have_text(name)

    def test_only_good_pictures(self, desktop: Console, api: HttpApi) -> None:
        desktop.open("add")
        desktop.add_many({"good.jpg": ASTRONAUT, "blurred.jpg": blurred()})
        desktop.page.get_by_label("Only good pictures").check()
        desktop.page.get_by_role("button", name="Start adding").click()

        expect(desktop.page.get_by_role("heading", name="1 face added, 1 failed")).to_be_visible()
        expect(desktop.page.locator("#bulk-failures")).to_contain_text("the face is blurred")
        assert added(api) == ["Good"]
        desktop.watch.forgive_refusals()

    def test_a_service_that_is_busy(self, deployed: Console, front: Gateway, api: HttpApi) -> None:
        deployed.open("add")
        front.answer_next(429, "detect", 2, Retry_After="1")
        front.answer_next(503, "addface", 1, Retry_After="1")
        deployed.add_many({f"{name}.jpg": ASTRONAUT for name in "abcde"})
        deployed.page.get_by_role("button", name="Start adding").click()

        expect(deployed.page.get_by_role("heading", name="5 faces added")).to_be_visible()
        assert added(api) == ["A", "B", "C", "D", "E"]
        deployed.watch.forgive_refusals()

    def test_three_requests_at_a_time_until_it_is_cancelled(self, desktop: Console, api: HttpApi) -> None:
        detections: list[Route] = []

        def first_five(route: Route) -> None:
            """Forward five requests; leave the others without an answer."""
            detections.append(route)
            if len(detections) <= 5:
                route.continue_()

        desktop.page.route("**/detect", first_five)
        desktop.open("add")
        desktop.add_many({f"person {chr(97 + n % 26)}{n}.jpg": ASTRONAUT for n in range(60)})
        desktop.page.get_by_role("button", name="Start adding").click()
        expect(desktop.text("5 of 60 pictures")).to_be_visible()
        for _ in range(WAIT_MILLISECONDS // 50):
            if len(detections) >= 5 + 3:
                break
            desktop.page.wait_for_timeout(50)
        # Leave time for a fourth request.
        desktop.page.wait_for_timeout(500)
        assert len(detections) == 5 + 3
        desktop.page.get_by_role("button", name="Cancel").click()

        expect(desktop.text("Cancelled: 5 faces added")).to_be_visible()
        expect(desktop.text("55 pictures were not tried.")).to_be_visible()
        assert len(added(api)) == 5
        assert len(detections) == 5 + 3

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

        expect(desktop.page.get_by_role("heading", name="6 pictures; 2 other files skipped")).to_be_visible()
        expect(desktop.page.locator("#bulk-preview")).to_contain_text("Ada Lovelace 2 pictures")

    def test_nothing_to_add(self, desktop: Console) -> None:
        desktop.open("add")
        desktop.page.locator("#bulk-files").set_input_files(file(b"text", "notes.txt", "text/plain"))

        expect(desktop.alert).to_have_text("None of these files is a picture.")
