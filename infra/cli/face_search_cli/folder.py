"""A folder of pictures of known people."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .picture_types import FIRST_BYTES, TAKEN, kind_of


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """`file` is relative to the folder; `name` is whom it shows.

    `fault` says why the picture cannot be sent, when that can be said without the service.
    """

    file: str
    path: Path
    name: str
    fault: str = ""


def pictures_in(folder: Path) -> list[NamedPicture]:
    """Return the pictures in `<name>/`, however deep, and those directly in the folder, `<name>.jpg`; in order.

    A file's contents say whether it is a picture. One that the service does not take has a `fault`, and so has a folder
    that is not looked into. Names are composed (NFC) as keyboards type them: some systems hand them out decomposed.
    What is hidden is left out.
    """
    found = []
    for path, fault in sorted((*_files(folder), *_folders_left_out(folder))):
        parts = path.relative_to(folder).parts
        name = parts[0] if len(parts) > 1 else path.stem
        found.append(NamedPicture("/".join(parts), path, unicodedata.normalize("NFC", name), fault))
    return found


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files that are pictures, and why the service takes them not, if so."""
    for root, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(root) / name
            # A link that leads nowhere is no file; reading it says why.
            if name.startswith(".") or not (path.is_file() or path.is_symlink()):
                continue
            try:
                kind = _kind(path)
            except OSError:  # reading all of it says why
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
                yield path, "it is a link to a folder, which is not followed"
    for error in unread:
        yield Path(error.filename), f"the folder cannot be read: {error.strerror}"


def _kind(path: Path) -> str | None:
    with path.open("rb") as file:
        return kind_of(path, file.read(FIRST_BYTES))
