"""Records each picture of an import in a file beside the folder, so that an interrupted import can continue."""

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
    """The file is not a journal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A picture, identified by its sha256, in one service and face set.

    The step is DETECTED before the token is added and ADDED afterwards. If the answer to the addition is lost, the next
    run adds the same token again, which changes nothing.
    """

    sha256: str
    step: str
    face_token: str
    face_name: str


class Journal:
    """A file of JSON lines that is only appended to. Safe to use from several threads at once.

    Parameters
    ----------
    place
        The service and face set of this import. Entries of other places are ignored.

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
                    f"line {number} of {path} is not a journal entry: choose another file with --journal"
                ) from None
    return entries
