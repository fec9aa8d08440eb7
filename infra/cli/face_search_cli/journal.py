"""What became of each picture of an import, kept beside the folder so that it can go on after an end at any point."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from .faults import naming

DETECTED, ADDED = "detected", "added"


class JournalError(Exception):
    """The file is no journal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture by its sha256, for one service and face set.

    It is DETECTED before its token is added and ADDED afterwards: when the answer in between is lost, the same token
    is added again, which changes nothing.
    """

    sha256: str
    step: str
    face_token: str
    face_name: str


class Journal:
    """Lines of JSON that are only ever appended. Safe to use from several threads at once.

    Parameters
    ----------
    place
        The service and face set that are imported to; what went elsewhere is as if it were not there.

    Raises
    ------
    JournalError
    """

    def __init__(self, path: Path, place: str) -> None:
        self._place = place
        self._lock = Lock()
        self._entries = _read(path, place) if path.exists() else {}
        self._path = path
        self._file = path.open("a+b")
        if self._file.tell():
            self._file.seek(-1, 2)
            if self._file.read() != b"\n":  # cut off when the machine stopped
                self._file.write(b"\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def get(self, sha256: str) -> Entry | None:
        with self._lock:
            return self._entries.get(sha256)

    def note(self, entry: Entry) -> None:
        line = json.dumps({"place": self._place, **asdict(entry)}).encode() + b"\n"
        with self._lock, naming(self._path):
            self._file.write(line)
            self._file.flush()
            self._entries[entry.sha256] = entry


def _read(path: Path, place: str) -> dict[str, Entry]:
    lines = path.read_bytes().splitlines()
    entries: dict[str, Entry] = {}
    for number, line in enumerate(lines, start=1):
        try:
            fields = json.loads(line)
            if fields.pop("place") == place:
                entries[fields["sha256"]] = Entry(**fields)
        except (ValueError, TypeError, KeyError, AttributeError):
            if not line.startswith(b'{"place": '):
                raise JournalError(
                    f"line {number} of {path} is not one of a journal: name another with --journal"
                ) from None
    return entries
