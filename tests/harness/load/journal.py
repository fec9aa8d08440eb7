"""What all clients have asked for and when it was answered, and so what a search may and must find.

Times are `time.perf_counter`'s, in seconds, of one process.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple


@dataclass(slots=True)
class Change:
    """The change of a face to a name, or to none, which is its removal."""

    name: str | None
    asked: float
    answered: float = math.inf


class Search(NamedTuple):
    """A reply's matches, and when it was asked for and answered."""

    matches: Sequence[dict[str, Any]]
    asked: float
    answered: float


@dataclass
class Journal:
    """Safe for use by several threads."""

    _changes: dict[str, list[Change]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def change(self, token: str, name: str | None) -> Iterator[None]:
        """The block asks for the change; when it ends, the change was answered, and when it fails, that is unknown."""
        change = Change(name, time.perf_counter())
        with self._lock:
            self._changes.setdefault(token, []).append(change)
        yield
        change.answered = time.perf_counter()

    def changes(self, token: str) -> list[Change]:
        """Return those of a face, the first one first."""
        with self._lock:
            return list(self._changes.get(token, ()))

    def possible(self, token: str, asked: float, answered: float) -> set[str | None]:
        """Return the names under which a face can have been known meanwhile; None: it can have been unknown."""
        changes = [Change(None, -math.inf, -math.inf), *self.changes(token)]
        # A later change ends an earlier one also when a change between them was not answered.
        ends = list(accumulate([math.inf, *(change.answered for change in reversed(changes[1:]))], min))[::-1]
        return {c.name for c, end in zip(changes, ends, strict=True) if c.asked < answered and end > asked}

    def faults(self, search: Search, *, complete: bool) -> list[str]:
        """Return what is wrong with a search; a complete one should find every face there is."""
        found = {match["face_token"]: match["face_name"] for match in search.matches}
        faults = [] if len(found) == len(search.matches) else ["a face is found twice"]
        for token, name in found.items():
            possible = self.possible(token, search.asked, search.answered)
            if name not in possible:
                faults.append(f"{token} is found as {name!r}, which can only be {possible}")
        if complete:
            standing = self.standing(search.asked, search.answered)
            faults += [f"{token} is not found" for token in standing if token not in found]
        return faults

    def standing(self, asked: float, answered: float) -> set[str]:
        """Return the tokens of the faces that were known all the time."""
        return {token for token in self._tokens() if None not in self.possible(token, asked, answered)}

    def count(self, asked: float, answered: float) -> tuple[int, int]:
        """Return the least and the largest number of faces that can have been known."""
        possible = [self.possible(token, asked, answered) for token in self._tokens()]
        return sum(None not in names for names in possible), sum(names != {None} for names in possible)

    def _tokens(self) -> list[str]:
        with self._lock:
            return list(self._changes)
