"""An import reports the outcome of each picture, and the reason if the picture was not added."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from face_search_cli.folder import pictures_in
from tests.cli.conftest import Run
from tests.cli.imported import listed, only, remove_all, report
from tests.cli.scripted_server import scripted_server
from tests.e2e import pictures
from tests.e2e.local_stack import ROOT

CASES = ROOT.parent / "shared" / "cases"


class TestRemovedSince:
    """The journal records what was imported, but only the service knows what is still there."""

    def test_a_removed_person_does_not_count_as_already_there(self, run: Run, people: Path, folder: Path) -> None:
        only(people, "Ada.png")
        run("import", "people")
        remove_all(run)

        said = run("import", "people", "--report", "report.csv", code=1).stdout

        assert "removed since" in said
        assert "--again" in said
        assert report(folder)["Ada.png"]["outcome"] == "removed since"
        assert listed(run) == []

    @pytest.mark.usefixtures("people")
    def test_a_removed_person_is_added_again_on_request(self, run: Run) -> None:
        run("import", "people", code=1)
        removed, *_ = json.loads(run("list", "--json").stdout)["faces"]
        run("remove", removed["face_token"])

        run("import", "people", "--again", code=1)
        run("import", "people", "--again", code=1)

        assert listed(run) == ["Ada", "Eileen", "Eileen"]

    def test_faces_of_a_deleted_face_set_do_not_count_as_already_there(self, run: Run, people: Path) -> None:
        only(people, "Ada.png")
        run("face-sets", "create", "staff")
        run("import", "people", "--face-set", "staff")
        run("face-sets", "delete", "staff", "--yes")

        assert "1001" in run("import", "people", "--face-set", "staff", code=3).stderr
        run("face-sets", "create", "staff")
        assert "removed since" in run("import", "people", "--face-set", "staff", code=1).stdout
        run("import", "people", "--face-set", "staff", "--again")

    def test_a_renamed_person_is_reported_under_the_new_name(self, run: Run, people: Path) -> None:
        only(people, "Ada.png")
        run("import", "people")
        [face] = json.loads(run("list", "--json").stdout)["faces"]
        run("rename", face["face_token"], "Ada King")

        assert "as Ada King" in run("import", "people", code=1).stdout


NOT_TAKEN = {
    "photo.HEIC": b"\0\0\0\x18ftypheic\0\0\0\0",
    "photo.avif": b"\0\0\0\x18ftypavif\0\0\0\0",
    "photo.webp": b"RIFF\x24\0\0\0WEBPVP8 ",
    "photo.gif": b"GIF89a\1\0\1\0",
    "photo.tiff": b"II*\0\x08\0\0\0",
    "named like a photo.jpg": b"<html>",
    "empty.png": b"",
    "no suffix at all": b"\xff\x0a\xfa\x1f",
    "photo.svg": b"<svg/>",
}


class TestEveryFileIsAccountedFor:
    def test_unaccepted_file_types_are_refused_with_a_reason(self, run: Run, folder: Path) -> None:
        (folder / "people" / "Ada").mkdir(parents=True)
        for name, content in NOT_TAKEN.items():
            (folder / "people" / "Ada" / name).write_bytes(content)

        said = run("import", "people", "--report", "report.csv", code=1).stdout

        rows = report(folder)
        assert rows.keys() == {f"Ada/{name}" for name in NOT_TAKEN}
        for file, row in rows.items():
            assert row["outcome"] == "refused"
            assert "neither JPEG nor PNG" in row["detail"]
            assert any(file in line and row["detail"] in line for line in said.splitlines())

    @pytest.mark.parametrize("suffix", [".jfif", ".MPO", ".jpe", ".txt", ""])
    def test_a_jpeg_is_accepted_whatever_its_name(self, run: Run, folder: Path, suffix: str) -> None:
        (folder / "people").mkdir()
        (folder / "people" / f"Eileen{suffix}").write_bytes(pictures.astronaut())

        run("import", "people")

        assert listed(run) == ["Eileen"]

    def test_other_files_are_not_treated_as_pictures(self, folder: Path) -> None:
        (folder / "people").mkdir()
        for name, file in {"notes.txt": b"Ada", "film.mp4": b"\0\0\0\x18ftypisom", ".DS_Store": b"\0"}.items():
            (folder / "people" / name).write_bytes(file)

        assert pictures_in(folder / "people") == []

    def test_links_to_files_are_followed_and_links_to_folders_are_reported(self, run: Run, folder: Path) -> None:
        (folder / "people").mkdir()
        (folder / "elsewhere").mkdir()
        (folder / "people" / "Eileen.jpg").symlink_to(folder / "eileen.jpg")
        (folder / "people" / "Ada").symlink_to(folder / "elsewhere")
        (folder / "people" / "Nobody.jpg").symlink_to(folder / "not there")

        said = run("import", "people", code=1).stdout

        assert listed(run) == ["Eileen"]
        assert "links to folders" in said
        assert "No such file" in said

    def test_failed_files_are_listed_up_to_a_limit(self, run: Run, folder: Path) -> None:
        (folder / "people").mkdir()
        for number in range(23):
            (folder / "people" / f"{number:02}.gif").write_bytes(b"GIF89a")

        said = run("import", "people", code=1).stdout

        assert said.count("neither JPEG nor PNG (GIF)") == 20
        assert "and 3 more; --report writes all to a file" in said

    @pytest.mark.skipif(not CASES.is_dir(), reason="the shared pictures are not on this machine")
    def test_real_files_of_unusual_types_are_added_or_reported(self, run: Run, folder: Path) -> None:
        (folder / "people").mkdir()
        for name in ("photo.jfif", "photo.HEIC"):
            shutil.copy(CASES / name, folder / "people" / name)

        said = run("import", "people", code=1).stdout

        assert listed(run) == ["photo"]
        assert "neither JPEG nor PNG (HEIC)" in said


@pytest.mark.usefixtures("people")
class TestBeforeAnyPictureIsSent:
    def test_a_missing_face_set_is_reported_once(self, run: Run, folder: Path) -> None:
        result = run("import", "people", "--face-set", "missing", "--report", "report.csv", code=3)

        assert result.stderr.startswith("face-search: the service refused the request, 1001: there is no such face_set")
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""
        assert not (folder / "report.csv").exists()

    def test_a_wrong_key_is_reported_once(self, run: Run) -> None:
        with scripted_server((403, {}, {"message": "Forbidden"})) as server:
            assert "is the key right?" in run("--url", server.url, "import", "people", code=3).stderr


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\tEileen", "\rEileen"])
def test_no_cell_of_the_report_is_a_formula(run: Run, folder: Path, name: str) -> None:
    (folder / "people" / name).mkdir(parents=True)
    (folder / "people" / name / "1.jpg").write_bytes(pictures.astronaut())

    run("import", "people", "--report", "report.csv")

    [row] = report(folder).values()
    assert (row["file"], row["face_name"]) == (f"'{name}/1.jpg", f"'{name}")
    assert row["outcome"] == "added"
    assert listed(run) == [name]


@pytest.mark.usefixtures("people")
def test_a_full_disk_is_reported_with_the_files_name(run: Run, folder: Path) -> None:
    (folder / "report.csv").symlink_to("/dev/full")

    said = run("import", "people", "--report", "report.csv", code=2).stderr

    assert said == "face-search: report.csv: No space left on device\n"
