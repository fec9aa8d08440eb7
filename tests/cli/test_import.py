"""An import adds each picture of a folder once, even after interruptions, and reports the outcome of every file."""

from __future__ import annotations

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

from face_search_cli.api import Api, RefusedError
from face_search_cli.folder import pictures_in
from face_search_cli.folder_import import FolderImport
from face_search_cli.journal import Journal, JournalError
from tests.cli.conftest import Run
from tests.cli.imported import listed, report
from tests.e2e import pictures
from tests.e2e.local_stack import ROOT, LocalStack, environment

MAX_SECONDS = 60


def test_faces_are_named_after_their_folders(run: Run, people: Path, folder: Path) -> None:
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


def test_a_second_run_adds_nothing_and_recognises_moved_files(run: Run, people: Path, folder: Path) -> None:
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


def test_a_file_that_looks_like_another_person_is_named(run: Run, folder: Path) -> None:
    run("add", "eileen.jpg", "--name", "Eileen")
    (folder / "more" / "Aileen").mkdir(parents=True)
    (folder / "more" / "Aileen" / "1.jpg").write_bytes(pictures.changed_astronauts()["darker"])

    output = run("import", "more", "--report", "report.csv").stdout

    assert report(folder)["Aileen/1.jpg"]["detail"] == "looks like Eileen"
    assert "looks like Eileen" in output


def test_another_face_set_is_imported_separately(run: Run, people: Path) -> None:
    run("face-sets", "create", "staff")
    run("import", "people", code=1)
    run("import", "people", "--face-set", "staff", code=1)

    assert len(json.loads(run("list", "--face-set", "staff", "--json").stdout)["faces"]) == 3


def test_concurrent_jobs_add_identical_files_only_once(run: Run, folder: Path) -> None:
    for number in range(12):
        (folder / "same" / f"Eileen {number % 2}").mkdir(parents=True, exist_ok=True)
        (folder / "same" / f"Eileen {number % 2}" / f"{number}.jpg").write_bytes(pictures.astronaut())

    run("import", "same", "--jobs", "8", code=1)

    assert len(listed(run)) == 1


def test_poor_faces_can_be_refused(run: Run, folder: Path) -> None:
    (folder / "poor").mkdir()
    (folder / "poor" / "Eileen.jpg").write_bytes(pictures.blurred())

    run("import", "poor", "--refuse-poor", "--report", "report.csv", code=1)

    assert "too poor" in report(folder)["Eileen.jpg"]["detail"]
    assert listed(run) == []


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_or_killed_import_continues_and_adds_no_face_twice(
    run: Run, stack: LocalStack, folder: Path, number: signal.Signals
) -> None:
    for seed in range(40):
        (folder / "many" / f"person {seed}").mkdir(parents=True)
        photo = pictures.brightened(pictures.astronaut_pixels(), 0.6 + seed / 80)
        (folder / "many" / f"person {seed}" / "1.jpg").write_bytes(pictures.jpeg(photo))
    process = subprocess.Popen(
        [sys.executable, "-m", "face_search_cli", "import", str(folder / "many")],
        cwd=ROOT,
        env=environment(FACE_SEARCH_URL=f"http://localhost:{stack.port}", PYTHONPATH="infra/cli"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    journal, end = folder / "many.import.jsonl", time.monotonic() + MAX_SECONDS
    while not journal.exists() or journal.read_bytes().count(b'"added"') < 5:
        assert time.monotonic() < end
        time.sleep(0.01)
    process.send_signal(number)
    said, _ = process.communicate(timeout=MAX_SECONDS)

    if number == signal.SIGINT:
        assert process.returncode == 130
        assert said == "face-search: interrupted: run the same command to continue\n"
    assert 5 <= len(listed(run)) < 40
    with journal.open("ab") as file:
        file.write(b'{"place": "cut o')  # as after a machine stops suddenly
    run("import", "many")
    run("import", "many")

    assert listed(run) == sorted(f"person {seed}" for seed in range(40))


class LosesAnswers(Api):
    """Loses the reply to an addition, as if the process were killed just then."""

    lost = 0

    def call(self, method: str, path: str, arguments: Any = None, pictures: Any = None) -> Any:
        reply = super().call(method, path, arguments, pictures)
        if path == "/addface" and not self.lost:
            self.lost = 1
            raise SystemExit
        return reply


def test_an_addition_with_a_lost_reply_is_not_repeated(run: Run, stack: LocalStack, folder: Path) -> None:
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


def test_a_face_with_an_expired_token_is_detected_again(run: Run, stack: LocalStack, folder: Path) -> None:
    (folder / "one").mkdir()
    (folder / "one" / "Eileen.jpg").write_bytes(pictures.astronaut())

    class Interrupted(Api):
        def call(self, method: str, path: str, arguments: Any = None, pictures: Any = None) -> Any:
            if path == "/addface":
                raise RefusedError("1003", "interrupted here")
            reply = super().call(method, path, arguments, pictures)
            reply.body["faces"][0]["face_token"] = "x" * 24  # a token that expires before the next run
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


def test_a_file_name_in_an_invalid_encoding_is_reported(run: Run, folder: Path) -> None:
    (folder / "people").mkdir()
    Path(os.fsdecode(os.fsencode(folder / "people") + b"/\xff.jpg")).write_bytes(pictures.astronaut())

    run("import", "people", "--report", "report.csv", code=1)

    assert [row["outcome"] for row in report(folder).values()] == ["refused"]


def test_another_kind_of_file_is_not_used_as_a_journal(run: Run, people: Path, folder: Path) -> None:
    (folder / "cat.jpg").rename(folder / "people.import.jsonl")
    before = (folder / "people.import.jsonl").read_bytes()

    assert "choose another file with --journal" in run("import", "people", code=2).stderr
    assert (folder / "people.import.jsonl").read_bytes() == before
    with pytest.raises(JournalError):
        Journal(folder / "people.import.jsonl", "here")
