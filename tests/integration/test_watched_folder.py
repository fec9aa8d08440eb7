"""The folder that the local server watches: which files are new, and what happens when taking one in fails."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from chalicelib.errors import StoreUnavailableError
from chalicelib.incoming.inbox import TooLargeError
from chalicelib.incoming.intake import Intake
from chalicelib.settings import Settings
from chalicelib.wiring import Wiring
from infra.local import watched_folder
from infra.local.watched_folder import WatchedFolder, taken_in

PATH, RESULT = "incoming/add/default/Ada/1.jpg", "results/add/default/Ada/1.jpg.json"
MAX_WAIT_SECONDS = 60


@pytest.fixture
def folder(tmp_path: Path) -> WatchedFolder:
    return WatchedFolder(tmp_path)


def put(root: Path, path: str = PATH, content: bytes = b"picture", changed_ns: int | None = None) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    if changed_ns is not None:
        os.utime(file, ns=(changed_ns, changed_ns))
    return file


def test_a_picture_is_new_once_it_no_longer_changes(folder: WatchedFolder, tmp_path: Path) -> None:
    put(tmp_path, content=b"half")
    assert folder.new() == []
    put(tmp_path, content=b"the whole")
    assert folder.new() == []
    assert folder.new() == [PATH]


def test_a_picture_with_a_result_is_done_also_after_a_restart(folder: WatchedFolder, tmp_path: Path) -> None:
    put(tmp_path)
    taken(folder)
    assert (tmp_path / RESULT).read_bytes() == b"{}"
    assert [folder.new(), folder.new()] == [[], []]

    after = WatchedFolder(tmp_path)
    assert [after.new(), after.new()] == [[], []]


@pytest.mark.parametrize("earlier", [True, False])
def test_a_changed_picture_is_new_with_an_earlier_time_too(
    folder: WatchedFolder, tmp_path: Path, earlier: bool
) -> None:
    put(tmp_path, changed_ns=2 * 10**18)
    taken(folder)
    put(tmp_path, content=b"another picture", changed_ns=10**18 if earlier else 3 * 10**18)

    assert [folder.new(), folder.new()] == [[], [PATH]]
    after = WatchedFolder(tmp_path)
    assert [after.new(), after.new()] == [[], [PATH]]


def test_a_picture_that_changes_while_it_is_taken_in_is_new_again(folder: WatchedFolder, tmp_path: Path) -> None:
    put(tmp_path, changed_ns=10**18)
    assert [folder.new(), folder.new()] == [[], [PATH]]
    assert folder.read(PATH, 100) == b"picture"
    put(tmp_path, content=b"another picture", changed_ns=2 * 10**18)
    folder.write(PATH, "", b"{}")
    folder.finish(PATH)

    assert [folder.new(), folder.new()] == [[], [PATH]]


def test_hidden_files_links_and_pipes_are_left_out(folder: WatchedFolder, tmp_path: Path) -> None:
    put(tmp_path, "incoming/add/default/Ada/.1.jpg.part")
    put(tmp_path, "incoming/add/default/.trash/1.jpg")
    secret = put(tmp_path, "elsewhere/secret.jpg")
    (tmp_path / "incoming/add/default/Ada/link.jpg").symlink_to(secret)
    (tmp_path / "incoming/add/linked").symlink_to(secret.parent)
    os.mkfifo(tmp_path / "incoming/add/default/Ada/pipe.jpg")

    assert [folder.new(), folder.new()] == [[], []]


def test_a_picture_may_be_gone_or_too_large(folder: WatchedFolder, tmp_path: Path) -> None:
    put(tmp_path, content=b"12345")

    assert folder.read("incoming/add/default/Ada/2.jpg", 5) is None
    assert folder.read(PATH, 5) == b"12345"
    with pytest.raises(TooLargeError):
        folder.read(PATH, 4)


def taken(folder: WatchedFolder) -> None:
    assert [folder.new(), folder.new()] == [[], [PATH]]
    folder.write(PATH, "", b"{}")
    folder.finish(PATH)


@pytest.mark.parametrize("failure", [StoreUnavailableError(), RuntimeError("unforeseen")], ids=["store", "unforeseen"])
def test_a_failing_store_is_tried_again_and_another_failure_is_not(
    failure: Exception, tmp_path: Path, aws_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("POLL_SECONDS", "WAIT_SECONDS"):
        monkeypatch.setattr(watched_folder, name, 0.01)
    polls, attempts = threading.Semaphore(0), list[str]()
    new = WatchedFolder.new

    def take(_: Intake, path: str) -> None:
        attempts.append(path)
        if len(attempts) == 1:
            raise failure

    def polled(folder: WatchedFolder) -> list[str]:
        polls.release()
        return new(folder)

    monkeypatch.setattr(Intake, "take", take)
    monkeypatch.setattr(WatchedFolder, "new", polled)
    parts: Any = Wiring(Settings.from_environment({"DATABASE_URL": f"sqlite:///{tmp_path / 'unused'}"}))
    put(tmp_path)
    with closing(parts), taken_in(parts, tmp_path):
        for _ in range(8):
            assert polls.acquire(timeout=MAX_WAIT_SECONDS)

    assert attempts == [PATH] * (2 if isinstance(failure, StoreUnavailableError) else 1)
