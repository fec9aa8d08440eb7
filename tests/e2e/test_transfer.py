"""`make export` and `make import` with and without a running stack, interrupted and killed."""

from __future__ import annotations

import gzip
import json
import signal
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tests.e2e import pictures
from tests.e2e.api import tokens
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, environment, local_stack

MAX_SECONDS = 120


def start(what: str, file: Path, state: Path, script: str = "", **settings: str) -> subprocess.Popen[str]:
    """Start make's command, after running `script` in its process."""
    arguments = [what, str(file), "--state", str(state)]
    code = f"import sys; {script}\nfrom infra.local import transfer; sys.argv[1:] = {arguments}"
    return subprocess.Popen(
        [sys.executable, "-c", f"{code}; transfer.main()"],
        cwd=ROOT,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def transfer(what: str, file: Path, state: Path, code: int = 0) -> str:
    process = start(what, file, state)
    said, _ = process.communicate(timeout=MAX_SECONDS)
    assert process.returncode == code, said
    assert "Traceback" not in said
    return said


def test_exported_faces_are_imported_into_another_stack(tmp_path: Path) -> None:
    archive = tmp_path / "faces.zip"
    with local_stack(tmp_path / "one") as running:
        api = HttpApi(running.port)
        eileen, ada = api.added(pictures.astronaut(), "Eileen"), api.added(pictures.drawing(), "Ada")
        assert f"Exported 2 faces to {archive}" in transfer("export", archive, tmp_path / "one")
        found = api.search(eileen, "2")

    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    with zipfile.ZipFile(archive) as packed:
        assert packed.namelist() == ["manifest.json", "faces-00001.jsonl.gz"]
    assert not (tmp_path / "faces.zip.parts").exists()

    said = transfer("import", archive, tmp_path / "two")  # starts a stack for its duration
    assert "\nAdded 2 faces; left 0 existing faces unchanged; " in said
    with local_stack(tmp_path / "two") as running:
        api = HttpApi(running.port)
        assert api.search(eileen, "2") == found
        assert tokens(api.search_picture(pictures.drawing(), "0.3")) == [ada]
        assert api.get(f"/faces/{ada}").body["added_at"].endswith("Z")
        assert api.get(f"/faces/{ada}/crop").status == 200
        assert "Added 0 faces; left 2 existing faces unchanged" in transfer("import", archive, tmp_path / "two")


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_export_continues(tmp_path: Path, number: signal.Signals) -> None:
    state, archive = tmp_path / "state", tmp_path / "faces.zip"
    # One face per part, and a long pause after the first part, to stop the export there.
    slowly = (
        "import time; from chalicelib.maintenance.transfer import exporting; exporting.MAX_FACES = 1\n"
        "write, seconds = exporting.Export._write, iter([0])\n"
        "def slow(*arguments):\n    time.sleep(next(seconds, 600))\n    return write(*arguments)\n"
        "exporting.Export._write = slow"
    )
    with local_stack(state) as running:
        api = HttpApi(running.port)
        for name in ("one", "two", "three"):
            api.added(pictures.drawing(), name)
        stopped = start("export", archive, state, slowly)
        account, end = tmp_path / "faces.zip.parts" / "unfinished.json", time.monotonic() + MAX_SECONDS
        while not account.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        stopped.send_signal(number)
        said, _ = stopped.communicate(timeout=MAX_SECONDS)
        if number == signal.SIGINT:
            assert said == "\nInterrupted: run the same `make export` to continue.\n"
        assert not archive.exists()

        assert "Exported 3 faces to" in transfer("export", archive, state)

    with zipfile.ZipFile(archive) as packed:
        # The first part comes from the stopped run; the second contains the remaining faces.
        assert packed.namelist() == ["manifest.json", "faces-00001.jsonl.gz", "faces-00002.jsonl.gz"]


def names_in(archive: Path) -> list[str]:
    with zipfile.ZipFile(archive) as packed:
        parts = [part["file"] for part in json.loads(packed.read("manifest.json"))["parts"]]
        return [
            json.loads(line)["face_name"] for part in parts for line in gzip.decompress(packed.read(part)).splitlines()
        ]


def test_an_export_with_a_failed_zip_is_checked_again_by_the_next_run(tmp_path: Path) -> None:
    state, whole, archive = tmp_path / "state", tmp_path / "whole.zip", tmp_path / "faces.zip"
    one_each = "from chalicelib.maintenance.transfer import exporting; exporting.MAX_FACES = 1\n"
    with local_stack(state) as running:
        api = HttpApi(running.port)
        first = api.added(pictures.drawing(), "removed before the second run")
        api.added(pictures.drawing(), "there all the time")
        start("export", whole, state, one_each).communicate(timeout=MAX_SECONDS)
        # Like a full disk: there is room for each part, but none for the zip file.
        room = whole.stat().st_size - 1
        limit = f"{one_each}import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({room}, {room}))"

        stopped = start("export", archive, state, limit)
        said, _ = stopped.communicate(timeout=MAX_SECONDS)

        assert stopped.returncode == 1
        assert said == f"{archive}.partial cannot be written or read: File too large.\n"
        assert {path.name for path in tmp_path.glob("*faces*")} == {"faces.zip.parts"}

        api.remove(first)
        api.added(pictures.drawing(), "new since")
        assert "Exported 2 faces to" in transfer("export", archive, state)

    assert names_in(archive) == ["there all the time", "new since"]


@pytest.mark.parametrize("what", ["a folder in the way", "a file in the way", "a part that is damaged"])
def test_export_errors_are_messages_without_a_traceback(tmp_path: Path, what: str) -> None:
    archive, parts, state = tmp_path / "faces.zip", tmp_path / "faces.zip.parts", tmp_path / "state"
    if what == "a folder in the way":
        archive.mkdir()
        reason = f"{archive} is a folder: name the file to write.\n"
    elif what == "a file in the way":
        parts.touch()
        reason = f"{parts / 'unfinished.json'} cannot be written or read: Not a directory.\n"
    else:
        parts.mkdir()
        (parts / "unfinished.json").write_bytes(b"{")
        reason = f"unfinished.json is not from an export that can be continued. Delete {parts} and export again.\n"

    assert transfer("export", archive, state, code=1).endswith(reason)


def test_import_errors_are_messages_without_a_traceback(tmp_path: Path) -> None:
    broken, empty = tmp_path / "broken.zip", tmp_path / "empty.zip"
    broken.write_bytes(b"PK no zip")
    zipfile.ZipFile(empty, "w").close()

    for file, reason in {
        broken: "is neither a folder nor a complete zip file.\n",
        empty: "this is not an archive, or its export is unfinished.\n",
        tmp_path / "none.zip": "cannot be read: No such file or directory.\n",
    }.items():
        assert transfer("import", file, tmp_path / "state", code=1).endswith(reason)
