"""The plan of one run, shared by all its processes."""

from __future__ import annotations

import multiprocessing
import random
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path


class Fault(Enum):
    """Deliberate faults, which the run must detect."""

    NONE = "none"
    FOLLOWS_IDS = "galleries take the rows above the highest id they know for the new ones"
    SKIPS_ADDITIONS = "galleries miss every tenth addition"
    KEEPS_ROLLBACKS = "every fifth transaction that is to be rolled back is committed"
    FORGETS_CHANGES = "every tenth change is rolled back after its answer"
    # Faults of a run with a vector index.
    LOOKS_AT_NO_TAIL = "galleries find only what the index has"
    STATES_TOO_EARLY = "an index is said to have changes before they are written to it"
    KEEPS_REMOVED = "an index keeps every fifth face that is removed"


class TimeIsUpError(Exception):
    """The run takes too long, or its parent process has ended."""


@dataclass(frozen=True)
class Plan:
    """The plan. `ends_at` is in seconds since 1970; `changes` is the number of additions and removals to be answered.

    `vectors` is the address of S3 Vectors; empty when galleries are in memory. `segments` is the address of S3; empty
    when the database has the segments' bytes.
    """

    url: str
    folder: Path
    changes: int
    seed: int
    writers: int
    readers: int
    compactors: int
    ends_at: float
    fault: Fault = Fault.NONE
    vectors: str = ""
    segments: str = ""
    indexers: int = 0

    @property
    def stop(self) -> Path:
        """The file that exists once all changes are made."""
        return self.folder / "stop"

    def journal(self, writer: int) -> Path:
        return self.folder / f"journal-{writer}"

    def quota(self, writer: int) -> int:
        """The number of changes that a writer makes."""
        return self.changes // self.writers + (writer < self.changes % self.writers)

    def random(self, process: str) -> random.Random:
        """Return random numbers that differ for every process, including successors of the same name."""
        return random.Random(f"{self.seed} {process} {time.time_ns()}")

    def check_time(self) -> None:
        """Raise TimeIsUpError if the process would otherwise run for ever."""
        parent = multiprocessing.parent_process()
        if time.time() > self.ends_at or (parent is not None and not parent.is_alive()):
            raise TimeIsUpError
