"""A folder of an archive never holds half a file under its final name."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NoReturn

import pytest

from infra.local.archive_file import Folder


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> NoReturn:
        raise OSError(errno.ENOSPC, "No space left on device")

    folder = Folder(tmp_path)
    folder.write("part", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space left on device"):
            folder.write("part", b"new")

    assert folder.read("part", 10) == b"old"
    folder.write("part", b"newer")
    assert folder.read("part", 10) == b"newer"
