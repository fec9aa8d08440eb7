"""Records all clients' changes and their times, and derives the matches that a search may and must return.

Times are from one process's `time.perf_counter`, in seconds.
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
    """The change of a face to a name; the name None stands for its removal."""

    name: str | None
    asked: float
    answered: float = math.inf


class Search(NamedTuple):
    """A search's matches, and the times of its request and its answer."""

    matches: Sequence[dict[str, Any]]
    asked: float
    answered: float


@dataclass
class Journal:
    """The changes of all faces. Thread-safe."""

    _changes: dict[str, list[Change]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def change(self, token: str, name: str | None) -> Iterator[None]:
        """Record a change requested by the block; if the block fails, the outcome of the change is unknown."""
        change = Change(name, time.perf_counter())
        with self._lock:
            self._changes.setdefault(token, []).append(change)
        yield
        change.answered = time.perf_counter()

    def changes(self, token: str) -> list[Change]:
        """Return a face's changes, earliest first."""
        with self._lock:
            return list(self._changes.get(token, ()))

    def possible(self, token: str, asked: float, answered: float) -> set[str | None]:
        """Return the names that a face can have had between two times; None if it can have been unknown."""
        changes = [Change(None, -math.inf, -math.inf), *self.changes(token)]
        # A later change supersedes an earlier one even if a change between them has no answer.
        ends = list(accumulate([math.inf, *(change.answered for change in reversed(changes[1:]))], min))[::-1]
        return {c.name for c, end in zip(changes, ends, strict=True) if c.asked < answered and end > asked}

    def faults(self, search: Search, *, complete: bool) -> list[str]:
        """Return the errors of a search; a complete search must find every known face."""
        found = {match["face_token"]: match["face_name"] for match in search.matches}
        faults = [] if len(found) == len(search.matches) else ["a face is found twice"]
        for token, name in found.items():
            possible = self.possible(token, search.asked, search.answered)
            if name not in possible:
                faults.append(f"{token} is found as {name!r}, but can only be {possible}")
        if complete:
            standing = self.standing(search.asked, search.answered)
            faults += [f"{token} is not found" for token in standing if token not in found]
        return faults

    def standing(self, asked: float, answered: float) -> set[str]:
        """Return the tokens of the faces that were known throughout."""
        return {token for token in self._tokens() if None not in self.possible(token, asked, answered)}

    def count(self, asked: float, answered: float) -> tuple[int, int]:
        """Return the smallest and the largest possible number of known faces."""
        possible = [self.possible(token, asked, answered) for token in self._tokens()]
        return sum(None not in names for names in possible), sum(names != {None} for names in possible)

    def _tokens(self) -> list[str]:
        with self._lock:
            return list(self._changes)
