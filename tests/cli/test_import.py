"""A folder is imported once, whatever stops it, and each file's fate is told."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from infra.cli.api import Api, RefusedError
from infra.cli.folder import pictures_in
from infra.cli.folder_import import FolderImport
from infra.cli.journal import Journal, JournalError
from tests.cli.conftest import Run
from tests.cli.scripted_server import scripted_server
from tests.e2e import pictures
from tests.e2e.local_stack import ROOT, LocalStack, environment

MAX_SECONDS = 60
CASES = ROOT.parent / "shared" / "cases"


@pytest.fixture
def people(folder: Path) -> Path:
    """Two people, one with two pictures, and a file without a face."""
    people = folder / "people"
    for name, file in {
        "Eileen/1.jpg": pictures.astronaut(),
        "Eileen/deep/2.JPEG": pictures.changed_astronauts()["mirrored"],
        "Ada.png": pictures.png(pictures.astronaut_pixels()[:, ::-1]),
        "Cat/1.jpg": pictures.cat(),
        "Cat/notes.txt": b"not a picture",
        "Broken/1.jpg": b"\xff\xd8\xff no picture",
        ".hidden/1.jpg": pictures.astronaut(),
        "Eileen/._1.jpg": b"what macOS leaves",
    }.items():
        (people / name).parent.mkdir(parents=True, exist_ok=True)
        (people / name).write_bytes(file)
    return people


def only(people: Path, kept: str) -> None:
    for path in people.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != kept:
            path.unlink()


def remove_all(run: Run) -> None:
    for face in json.loads(run("list", "--limit", "1000", "--json").stdout)["faces"]:
        run("remove", face["face_token"])


def report(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "report.csv").open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def listed(run: Run) -> list[str]:
    return sorted(face["face_name"] for face in json.loads(run("list", "--limit", "1000", "--json").stdout)["faces"])


def test_everyone_is_added_under_their_folders_name(run: Run, people: Path, folder: Path) -> None:
    run("import", "people", "--report", "report.csv", code=1)

    assert listed(run) == ["Ada", "Eileen", "Eileen"]
    rows = report(folder)
    assert {file: row["outcome"] for file, row in rows.items()} == {
        "Ada.png": "added",
        "Broken/1.jpg": "refused",
        "Cat/1.jpg": "no face",
        "Eileen/1.jpg": "added",
        "Eileen/deep/2.JPEG": "added",
    }
    assert "1004" in rows["Broken/1.jpg"]["detail"]
    assert len(rows["Ada.png"]["face_token"]) == 24


def test_a_second_run_adds_nothing_and_a_moved_file_is_known(run: Run, people: Path, folder: Path) -> None:
    shutil.rmtree(people / "Broken")
    shutil.rmtree(people / "Cat")
    run("import", "people")
    (people / "Eileen" / "1.jpg").rename(people / "Eileen" / "moved.jpg")
    shutil.copy(people / "Ada.png", people / "Somebody else.png")

    run("import", "people", "--report", "report.csv", code=1)

    assert listed(run) == ["Ada", "Eileen", "Eileen"]
    rows = report(folder)
    assert rows["Eileen/moved.jpg"]["outcome"] == "already there"
    assert (rows["Somebody else.png"]["outcome"], rows["Somebody else.png"]["detail"]) == (
        "already there under another name",
        "as Ada",
    )


class TestRemovedSince:
    """The journal says what was imported, and the service what is there."""

    def test_a_person_who_was_removed_is_not_already_there(self, run: Run, people: Path, folder: Path) -> None:
        only(people, "Ada.png")
        run("import", "people")
        remove_all(run)

        said = run("import", "people", "--report", "report.csv", code=1).stdout

        assert "removed since" in said
        assert "--again" in said
        assert report(folder)["Ada.png"]["outcome"] == "removed since"
        assert listed(run) == []

    @pytest.mark.usefixtures("people")
    def test_who_was_removed_is_added_again_when_that_is_asked_for(self, run: Run) -> None:
        run("import", "people", code=1)
        removed, *_ = json.loads(run("list", "--json").stdout)["faces"]
        run("remove", removed["face_token"])

        run("import", "people", "--again", code=1)
        run("import", "people", "--again", code=1)

        assert listed(run) == ["Ada", "Eileen", "Eileen"]

    def test_after_a_face_set_was_deleted_nobody_is_already_there(self, run: Run, people: Path) -> None:
        only(people, "Ada.png")
        run("face-sets", "create", "staff")
        run("import", "people", "--face-set", "staff")
        run("face-sets", "delete", "staff", "--yes")

        assert "1001" in run("import", "people", "--face-set", "staff", code=3).stderr
        run("face-sets", "create", "staff")
        assert "removed since" in run("import", "people", "--face-set", "staff", code=1).stdout
        run("import", "people", "--face-set", "staff", "--again")

    def test_who_was_renamed_is_there_under_that_name(self, run: Run, people: Path) -> None:
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


class TestNothingIsLeftOutWithoutAWord:
    def test_pictures_that_are_not_taken_are_refused_with_the_reason(self, run: Run, folder: Path) -> None:
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
    def test_a_jpeg_is_taken_whatever_its_name(self, run: Run, folder: Path, suffix: str) -> None:
        (folder / "people").mkdir()
        (folder / "people" / f"Eileen{suffix}").write_bytes(pictures.astronaut())

        run("import", "people")

        assert listed(run) == ["Eileen"]

    def test_files_of_other_programs_are_no_pictures(self, folder: Path) -> None:
        (folder / "people").mkdir()
        for name, file in {"notes.txt": b"Ada", "film.mp4": b"\0\0\0\x18ftypisom", ".DS_Store": b"\0"}.items():
            (folder / "people" / name).write_bytes(file)

        assert pictures_in(folder / "people") == []

    def test_links_are_followed_to_files_and_said_to_be_left_out_for_folders(self, run: Run, folder: Path) -> None:
        (folder / "people").mkdir()
        (folder / "elsewhere").mkdir()
        (folder / "people" / "Eileen.jpg").symlink_to(folder / "eileen.jpg")
        (folder / "people" / "Ada").symlink_to(folder / "elsewhere")
        (folder / "people" / "Nobody.jpg").symlink_to(folder / "not there")

        said = run("import", "people", code=1).stdout

        assert listed(run) == ["Eileen"]
        assert "a link to a folder" in said
        assert "No such file" in said

    def test_files_with_faults_are_listed_up_to_a_number(self, run: Run, folder: Path) -> None:
        (folder / "people").mkdir()
        for number in range(23):
            (folder / "people" / f"{number:02}.gif").write_bytes(b"GIF89a")

        said = run("import", "people", code=1).stdout

        assert said.count("neither JPEG nor PNG (GIF)") == 20
        assert "and 3 more; --report writes all to a file" in said

    @pytest.mark.skipif(not CASES.is_dir(), reason="the shared pictures are not on this machine")
    def test_the_pictures_that_were_left_out(self, run: Run, folder: Path) -> None:
        (folder / "people").mkdir()
        for name in ("photo.jfif", "photo.HEIC"):
            shutil.copy(CASES / name, folder / "people" / name)

        said = run("import", "people", code=1).stdout

        assert listed(run) == ["photo"]
        assert "neither JPEG nor PNG (HEIC)" in said


@pytest.mark.usefixtures("people")
class TestBeforeAnyPictureIsSent:
    def test_a_face_set_that_is_not_there_is_said_once(self, run: Run, folder: Path) -> None:
        result = run("import", "people", "--face-set", "missing", "--report", "report.csv", code=3)

        assert result.stderr.startswith("face-search: the service refuses, 1001: there is no such face_set")
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""
        assert not (folder / "report.csv").exists()

    def test_a_wrong_key_is_said_once(self, run: Run) -> None:
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
def test_a_full_disk_is_said_with_the_file(run: Run, folder: Path) -> None:
    (folder / "report.csv").symlink_to("/dev/full")

    said = run("import", "people", "--report", "report.csv", code=2).stderr

    assert said == "face-search: report.csv: No space left on device\n"


def test_another_face_set_is_another_import(run: Run, people: Path) -> None:
    run("face-sets", "create", "staff")
    run("import", "people", code=1)
    run("import", "people", "--face-set", "staff", code=1)

    assert len(json.loads(run("list", "--face-set", "staff", "--json").stdout)["faces"]) == 3


def test_the_same_content_twice_is_added_once_by_many_jobs(run: Run, folder: Path) -> None:
    for number in range(12):
        (folder / "same" / f"Eileen {number % 2}").mkdir(parents=True, exist_ok=True)
        (folder / "same" / f"Eileen {number % 2}" / f"{number}.jpg").write_bytes(pictures.astronaut())

    run("import", "same", "--jobs", "8", code=1)

    assert len(listed(run)) == 1


def test_poor_faces_can_be_left_out(run: Run, folder: Path) -> None:
    (folder / "poor").mkdir()
    (folder / "poor" / "Eileen.jpg").write_bytes(pictures.blurred())

    run("import", "poor", "--refuse-poor", "--report", "report.csv", code=1)

    assert "too poor" in report(folder)["Eileen.jpg"]["detail"]
    assert listed(run) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_interrupted_or_killed_it_goes_on_and_adds_nobody_twice(
    run: Run, stack: LocalStack, folder: Path, number: signal.Signals
) -> None:
    for seed in range(40):
        (folder / "many" / f"person {seed}").mkdir(parents=True)
        photo = pictures.brightened(pictures.astronaut_pixels(), 0.6 + seed / 80)
        (folder / "many" / f"person {seed}" / "1.jpg").write_bytes(pictures.jpeg(photo))
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.cli", "import", str(folder / "many")],
        cwd=ROOT,
        env=environment(FACE_SEARCH_URL=f"http://localhost:{stack.port}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell lets what it starts in the background ignore Ctrl-C, and whatever that starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
    )
    journal, end = folder / "many.import.jsonl", time.monotonic() + MAX_SECONDS
    while not journal.exists() or journal.read_bytes().count(b'"added"') < 5:
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(number)
    said, _ = process.communicate(timeout=MAX_SECONDS)

    if number == signal.SIGINT:
        assert process.returncode == 130
        assert said == "face-search: interrupted: the same command goes on from here\n"
    assert 5 <= len(listed(run)) < 40
    with journal.open("ab") as file:
        file.write(b'{"place": "cut o')  # as when the machine stops
    run("import", "many")
    run("import", "many")

    assert listed(run) == sorted(f"person {seed}" for seed in range(40))


class LosesAnswers(Api):
    """Sends additions whose answers are lost, as when the process is killed just then."""

    lost = 0

    def call(self, method: str, path: str, arguments: Any = None, pictures: Any = None) -> Any:
        reply = super().call(method, path, arguments, pictures)
        if path == "/addface" and not self.lost:
            self.lost = 1
            raise SystemExit
        return reply


def test_an_addition_whose_answer_was_lost_is_not_done_twice(run: Run, stack: LocalStack, folder: Path) -> None:
    (folder / "one" / "Eileen").mkdir(parents=True)
    (folder / "one" / "Eileen" / "1.jpg").write_bytes(pictures.astronaut())
    api = LosesAnswers(f"http://localhost:{stack.port}")
    with Journal(folder / "journal", "here") as journal, pytest.raises(SystemExit):
        list(FolderImport(api, journal).run(pictures_in(folder / "one")))
    assert listed(run) == ["Eileen"]

    with Journal(folder / "journal", "here") as journal:
        [outcome] = FolderImport(api, journal).run(pictures_in(folder / "one"))

    assert outcome.what == "added"
    assert listed(run) == ["Eileen"]


def test_a_token_whose_day_is_over_is_detected_anew(run: Run, stack: LocalStack, folder: Path) -> None:
    (folder / "one").mkdir()
    (folder / "one" / "Eileen.jpg").write_bytes(pictures.astronaut())

    class Interrupted(Api):
        def call(self, method: str, path: str, arguments: Any = None, pictures: Any = None) -> Any:
            if path == "/addface":
                raise RefusedError("1003", "interrupted here")
            reply = super().call(method, path, arguments, pictures)
            reply.body["faces"][0]["face_token"] = "x" * 24  # one that expires before the next run
            return reply

    url = f"http://localhost:{stack.port}"
    for api in (Interrupted(url), Api(url)):
        with Journal(folder / "journal", "here") as journal:
            [outcome] = FolderImport(api, journal).run(pictures_in(folder / "one"))

    assert outcome.what == "added"
    assert listed(run) == ["Eileen"]


def test_names_are_composed(folder: Path) -> None:
    (folder / "people" / "Zoe\u0308").mkdir(parents=True)
    (folder / "people" / "Zoe\u0308" / "1.jpg").touch()

    assert [picture.name for picture in pictures_in(folder / "people")] == ["Zo\u00eb"]


def test_a_file_name_in_no_encoding_is_told_of(run: Run, folder: Path) -> None:
    (folder / "people").mkdir()
    Path(os.fsdecode(os.fsencode(folder / "people") + b"/\xff.jpg")).write_bytes(pictures.astronaut())

    run("import", "people", "--report", "report.csv", code=1)

    assert [row["outcome"] for row in report(folder).values()] == ["refused"]


def test_another_file_is_not_taken_for_a_journal(run: Run, people: Path, folder: Path) -> None:
    (folder / "cat.jpg").rename(folder / "people.import.jsonl")
    before = (folder / "people.import.jsonl").read_bytes()

    assert "name another with --journal" in run("import", "people", code=2).stderr
    assert (folder / "people.import.jsonl").read_bytes() == before
    with pytest.raises(JournalError):
        Journal(folder / "people.import.jsonl", "here")
