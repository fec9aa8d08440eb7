"""Records the counts and errors of a run's processes, even if they are killed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

# Errors counted in faces; each must stay 0.
LOST = "lost"
PHANTOM = "phantom"
# Errors counted in cases; each must stay 0.
OWN_WRITE = "read-your-writes failures"
ANSWER = "wrong answers"
DISTANCE = "wrong distances or orders"
ENDLESS = "searches without an answer"
GALLERY = "galleries unlike the rows"
LOG = "faults of the log"
SEGMENT = "faults of the segments"
ERASED = "removed faces still packed"
PROCESS = "failed processes"
DIFFERENT = "searches unlike the memory gallery's"
INDEX = "vector indexes unlike the rows"
RECALL = "recalls below 1"
REFUSED_REQUEST = "requests that S3 Vectors forbids"
FAILURES = (
    LOST,
    PHANTOM,
    OWN_WRITE,
    ANSWER,
    DISTANCE,
    ENDLESS,
    GALLERY,
    LOG,
    SEGMENT,
    ERASED,
    PROCESS,
    DIFFERENT,
    INDEX,
    RECALL,
    REFUSED_REQUEST,
)

CHANGES = "changes answered"
ROLLBACKS = "rollbacks"
WRITER_KILLS = "writers killed"
IN_DOUBT = "changes left in doubt"
TOOK_PLACE = "of those repeated, had taken place"
COMPACTOR_KILLS = "compactions killed"
COMPACTIONS = "compactions"
REFUSED_RUNS = "compactions while another held the lease"
OVERTAKEN = "compactions stopped by a later one"
NAPS = "processes frozen for a while"
SEARCHES = "searches checked"
OWN_SEARCHES = "own writes looked for"
SOUGHT = "removed faces looked for in the segments"
COLD_LOADS = "cold loads"
RELOADS = "reloads behind the pruned log"
GONE = "segments replaced while they were read"
FAILED_BYTES = "writes of segments failed on purpose"
REFUSED = "answers 503, repeated"
COMPARED = "searches compared with the memory gallery"
APPLICATIONS = "applications to the vector index"
REBUILDS = "vector indexes rebuilt and put to use"
RECONCILIATIONS = "vector indexes compared with the rows"
INDEXER_KILLS = "indexers killed"
REQUESTS = "requests to the vector index"
FAILED_REQUESTS = "of those failed on purpose"
COUNTS = (
    CHANGES,
    ROLLBACKS,
    WRITER_KILLS,
    IN_DOUBT,
    TOOK_PLACE,
    COMPACTOR_KILLS,
    COMPACTIONS,
    REFUSED_RUNS,
    OVERTAKEN,
    NAPS,
    SEARCHES,
    OWN_SEARCHES,
    SOUGHT,
    COLD_LOADS,
    RELOADS,
    GONE,
    FAILED_BYTES,
    REFUSED,
    COMPARED,
    APPLICATIONS,
    REBUILDS,
    RECONCILIATIONS,
    INDEXER_KILLS,
    REQUESTS,
    FAILED_REQUESTS,
)


class Entry(NamedTuple):
    process: str
    kind: str
    amount: int
    subject: str
    detail: str


class Report:
    """One process's report."""

    def __init__(self, folder: Path, process: str) -> None:
        self._file = folder / f"report-{process}"

    def count(self, kind: str, amount: int = 1) -> None:
        self._write(kind, amount)

    def fail(self, kind: str, subject: object, detail: str) -> None:
        self._write(kind, 1, str(subject), detail)

    def _write(self, kind: str, amount: int, subject: str = "", detail: str = "") -> None:
        line = "\t".join([kind, str(amount), subject, detail, "."])
        with self._file.open("ab", buffering=0) as file:
            # The line break comes first, so that a line cut short by a kill does not spoil the next one.
            file.write(f"\n{line}".encode())


class Figures(NamedTuple):
    """The result of a run."""

    counts: dict[str, int]
    faults: dict[str, int]
    details: list[str]
    seconds: float

    @property
    def changes(self) -> int:
        return self.counts[CHANGES]

    @property
    def searches(self) -> int:
        return self.counts[SEARCHES]

    @property
    def kills(self) -> int:
        return self.counts[WRITER_KILLS] + self.counts[COMPACTOR_KILLS]

    @property
    def rollbacks(self) -> int:
        return self.counts[ROLLBACKS]

    @property
    def failures(self) -> int:
        return sum(self.faults.values())

    def table(self) -> str:
        rows = [*self.counts.items(), *self.faults.items()]
        lines = [f"{name:<42} {value:>8,}" for name, value in rows]
        return "\n".join([*lines, f"{'seconds':<42} {self.seconds:>8.1f}", *self.details])


def figures(folder: Path, seconds: float, most_details: int = 20) -> Figures:
    entries = _entries(folder)
    sums: Counter[str] = Counter()
    for entry in entries:
        sums[entry.kind] += entry.amount
    for kind in (LOST, PHANTOM):
        sums[kind] = len({entry.subject for entry in entries if entry.kind == kind})
    details = [f"{e.kind}: {e.subject}: {e.detail} [{e.process}]" for e in entries if e.kind in FAILURES]
    return Figures(
        {kind: sums[kind] for kind in COUNTS}, {kind: sums[kind] for kind in FAILURES}, details[:most_details], seconds
    )


def _entries(folder: Path) -> list[Entry]:
    found = []
    for file in sorted(folder.glob("report-*")):
        for line in file.read_text().splitlines():
            fields = line.split("\t")
            if len(fields) == 5 and fields[-1] == ".":
                kind, amount, subject, detail, _ = fields
                found.append(Entry(file.name.removeprefix("report-"), kind, int(amount), subject, detail))
    return found
