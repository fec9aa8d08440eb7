"""Finds the pictures of known people in a folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .picture_types import FIRST_BYTES, TAKEN, kind_of


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """A picture: `file` is its path relative to the folder, and `name` the person it shows.

    `fault` says why the picture cannot be sent, if that is known without asking the service.
    """

    file: str
    path: Path
    name: str
    fault: str = ""


def pictures_in(folder: Path) -> list[NamedPicture]:
    """Return the pictures in `<name>/` at any depth, and `<name>.jpg` directly in the folder, sorted by path.

    A file's contents decide whether it is a picture. A picture of a kind that the service does not accept has a
    `fault`; so does a folder that is not searched. Names are in composed form (NFC), as keyboards type them, because
    some systems return them decomposed. Hidden files and folders are left out.
    """
    found = []
    for path, fault in sorted((*_files(folder), *_folders_left_out(folder))):
        parts = path.relative_to(folder).parts
        name = parts[0] if len(parts) > 1 else path.stem
        found.append(NamedPicture("/".join(parts), path, unicodedata.normalize("NFC", name), fault))
    return found


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield each picture file, and why the service does not accept it, or ""."""
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(root) / name
            # A broken link is not a file; it is kept here because reading it later gives the reason.
            if name.startswith(".") or not (path.is_file() or path.is_symlink()):
                continue
            try:
                kind = _kind(path)
            except OSError:  # reading the whole file later gives the reason
                yield path, ""
                continue
            if kind is not None:
                yield path, "" if kind in TAKEN else f"the picture is neither JPEG nor PNG ({kind})"


def _folders_left_out(folder: Path) -> Iterator[tuple[Path, str]]:
    unread: list[OSError] = []
    for root, folders, _ in os.walk(folder, onerror=unread.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for path in (Path(root) / name for name in folders):
            if path.is_symlink():
                yield path, "links to folders are not followed"
    for error in unread:
        yield Path(error.filename), f"the folder cannot be read: {error.strerror}"


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        return kind_of(path, file.read(FIRST_BYTES))
