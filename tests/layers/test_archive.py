"""A zip depends only on the names and contents of its files."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest

from infra.deploy.layers.archive import write_zip


def _folder(path: Path, names: list[str]) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(name)
    return path


def test_order_times_and_permissions_of_the_files_are_ignored(tmp_path: Path) -> None:
    names = ["python/b.py", "python/a/__init__.py", "python/a.so"]
    first, second = _folder(tmp_path / "first", names), _folder(tmp_path / "second", names[::-1])
    os.utime(second / names[0], (0, 0))
    (second / names[1]).chmod(0o600)

    digests = [write_zip(folder, tmp_path / f"{folder.name}.zip") for folder in (first, second)]

    assert digests[0] == digests[1]
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()


def test_the_returned_sha256_is_the_zips(tmp_path: Path) -> None:
    digest = write_zip(_folder(tmp_path / "folder", ["a"]), tmp_path / "layer.zip")

    assert digest == hashlib.sha256((tmp_path / "layer.zip").read_bytes()).hexdigest()


@pytest.mark.parametrize(("name", "mode"), [("a.py", 0o644), ("a.so", 0o755), ("liba-1.so.3.2", 0o755)])
def test_files_are_readable_and_libraries_executable(tmp_path: Path, name: str, mode: int) -> None:
    write_zip(_folder(tmp_path / "folder", [name]), tmp_path / "layer.zip")

    with zipfile.ZipFile(tmp_path / "layer.zip") as archive:
        (entry,) = archive.infolist()
    assert (entry.external_attr >> 16) & 0o777 == mode
    assert entry.extra == b""


def test_names_are_sorted_and_contents_are_unchanged(tmp_path: Path) -> None:
    write_zip(_folder(tmp_path / "folder", ["b", "a/c", "a.py"]), tmp_path / "layer.zip")

    with zipfile.ZipFile(tmp_path / "layer.zip") as archive:
        assert archive.namelist() == ["a.py", "a/c", "b"]
        assert archive.read("a/c") == b"a/c"
