"""Runs writers, readers and compactors in separate processes, kills some of them, and checks for lost changes.

`python -m tests.harness.stress.run --url <database url> --changes 5000 --seed 1`; without a URL, once for each dialect
in new databases. `--gallery s3vectors` searches through a vector index with failing requests, and `--segments s3` packs
segments into S3. Exits with 1 when any change was lost, invented, or seen too late.
"""

from __future__ import annotations

import argparse
import logging
import random
import signal
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.schema import migrate
from tests.harness.stress.children import KILLED, Children
from tests.harness.stress.compactor import compact
from tests.harness.stress.databases import new_mysql, new_sqlite
from tests.harness.stress.emulated_index import emulated_index
from tests.harness.stress.final_check import check_all
from tests.harness.stress.indexer import index
from tests.harness.stress.journal import Ledger
from tests.harness.stress.numbered_faces import make_sets
from tests.harness.stress.plan import Fault, Plan
from tests.harness.stress.reader import read
from tests.harness.stress.report import (
    CHANGES,
    COMPACTOR_KILLS,
    INDEXER_KILLS,
    PROCESS,
    WRITER_KILLS,
    Figures,
    Report,
    figures,
)
from tests.harness.stress.segment_bucket import segment_bucket
from tests.harness.stress.writer import write

# The mean number of answered changes between two kills.
CHANGES_PER_WRITER_KILL = 60
CHANGES_PER_COMPACTOR_KILL = 250
CHANGES_PER_INDEXER_KILL = 150
LOOK_SECONDS = 0.01
# The share of the writers' kills that happen in the middle of a change.
AIMED_KILLS = 0.8
LONGEST_AIM_SECONDS = 0.01
# The time limit without any change, and for the end after the last change.
LONGEST_STALL_SECONDS = 300.0


def run(
    url: str,
    *,
    changes: int = 5_000,
    seed: int = 1,
    writers: int = 8,
    readers: int = 4,
    compactors: int = 3,
    indexers: int = 2,
    fault: Fault = Fault.NONE,
    gallery: str = "memory",
    segments: str = "database",
    max_seconds: float = 900.0,
) -> Figures:
    """Migrate and fill a database without faces in one run.

    With the gallery `s3vectors`, the run uses a vector index with a share of failing requests. With segments in `s3`, a
    share of their writes fails.

    Raises
    ------
    ValueError
        When the database already has known faces.
    """
    started = time.time()
    _prepare(url)
    with (
        TemporaryDirectory(prefix="face-search-stress-") as name,
        segment_bucket() if segments == "s3" else nullcontext("") as in_s3,
    ):
        folder = Path(name)
        ends_at = started + max_seconds
        plan = Plan(url, folder, changes, seed, writers, readers, compactors, ends_at, fault, segments=in_s3)
        if gallery == "memory":
            with Children() as children:
                _Run(plan, children).to_the_end()
        else:
            with emulated_index(url, Report(folder, "index")) as index, Children() as children:
                index.fail(seed)
                plan = replace(plan, vectors=index.endpoint, indexers=indexers)
                _Run(plan, children, before_the_final_check=index.recover).to_the_end()
        return figures(folder, time.time() - started)


def _prepare(url: str) -> None:
    database = connect(url)
    migrate(database)
    if FaceSet(database).version() > 0:
        raise ValueError("the database is not empty")
    make_sets(database)
    database.close()


@dataclass
class _Kills:
    """Kills one process of a kind after roughly a given number of answered changes."""

    kind: str
    every: int
    counted_as: str
    next: int = 0

    def due(self, answered: int, chance: random.Random) -> bool:
        if answered < self.next:
            return False
        first, self.next = self.next == 0, answered + chance.randint(1, 2 * self.every)
        return not first


class _Run:
    def __init__(
        self, plan: Plan, children: Children, before_the_final_check: Callable[[], None] = lambda: None
    ) -> None:
        self._plan = plan
        self._children = children
        self._before_the_final_check = before_the_final_check
        self._report = Report(plan.folder, "run")
        self._random = random.Random(plan.seed)
        self._ledger = Ledger([plan.journal(writer) for writer in range(plan.writers)])
        self._stalls_at = plan.ends_at

    def to_the_end(self) -> None:
        for i in range(self._plan.writers):
            self._start(f"writer-{i}")
        for i in range(self._plan.readers):
            self._start(f"reader-{i}")
        for i in range(self._plan.compactors):
            self._start(f"compactor-{i}")
        for i in range(self._plan.indexers):
            self._start(f"indexer-{i}")
        self._change()
        self._plan.stop.touch()
        self._wait_for("reader")
        for name in [*self._children.running("compactor"), *self._children.running("indexer")]:
            self._children.kill(name)
        self._before_the_final_check()
        self._start("final-check")
        self._wait_for("final")
        self._report.count(CHANGES, self._ledger.answered)

    def _start(self, name: str) -> None:
        kind, _, number = name.partition("-")
        if kind == "writer":
            self._children.start(name, write, self._plan, name, int(number))
        else:
            target = {"reader": read, "compactor": compact, "indexer": index, "final": check_all}[kind]
            self._children.start(name, target, self._plan, name)

    def _change(self) -> None:
        """Kill and replace writers and compactors until all changes are made."""
        kills = [
            _Kills("writer", CHANGES_PER_WRITER_KILL, WRITER_KILLS),
            _Kills("compactor", CHANGES_PER_COMPACTOR_KILL, COMPACTOR_KILLS),
            _Kills("indexer", CHANGES_PER_INDEXER_KILL, INDEXER_KILLS),
        ]
        while self._children.running("writer"):
            self._look()
            for kill in kills:
                if kill.due(self._ledger.answered, self._random) and self._children.running(kill.kind):
                    self._kill_one(kill)

    def _kill_one(self, kill: _Kills) -> None:
        victims = self._children.running(kill.kind)
        if kill.kind == "writer" and self._random.random() < AIMED_KILLS:
            self._ledger.read()
            changing = [name for name in victims if self._ledger.open[int(name.removeprefix("writer-"))]]
            victims = changing or victims
        name = self._random.choice(victims)
        time.sleep(self._random.uniform(0, LONGEST_AIM_SECONDS))
        code = self._children.kill(name)
        if code == KILLED:
            self._report.count(kill.counted_as)
            self._start(name)
        else:
            self._note_end(name, code)

    def _wait_for(self, kind: str) -> None:
        self._stalls_at = time.time() + LONGEST_STALL_SECONDS
        while self._children.running(kind):
            self._look()

    def _look(self) -> None:
        time.sleep(LOOK_SECONDS)
        if self._ledger.read():
            self._stalls_at = time.time() + LONGEST_STALL_SECONDS
        for name, code in self._children.ended().items():
            self._note_end(name, code)
        if time.time() > min(self._plan.ends_at, self._stalls_at):
            self._report.fail(PROCESS, "run", f"took too long: {', '.join(self._children.running(''))}")
            for name in self._children.running(""):
                self._children.kill(name)

    def _note_end(self, name: str, code: int | None) -> None:
        if code:
            self._report.fail(PROCESS, name, f"exit code {code}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.stress.run", description=__doc__)
    parser.add_argument("--url", help="the URL of a database without faces")
    for option, default in {"changes": 5_000, "seed": 1, "writers": 8, "readers": 4}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    parser.add_argument("--minutes", type=float, default=60.0, help="seconds until the run fails")
    parser.add_argument("--gallery", choices=("memory", "s3vectors"), default="memory")
    parser.add_argument("--segments", choices=("database", "s3"), default="database")
    parser.add_argument(
        "--fault", choices=[fault.name for fault in Fault], default=Fault.NONE.name, help="what to break on purpose"
    )
    options = parser.parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # Like an interrupt from the keyboard, so that processes and databases are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    failures = 0
    for database in [nullcontext(options.url)] if options.url else [new_sqlite(), new_mysql()]:
        with database as url:
            if url is None:
                parser.exit(1, "there is no MySQL server on this machine\n")
            failures += _run_and_print(url, options)
    sys.exit(failures > 0)


def _run_and_print(url: str, options: argparse.Namespace) -> int:
    sizes = {name: getattr(options, name) for name in ("changes", "seed", "writers", "readers", "gallery", "segments")}
    found = run(url, fault=Fault[options.fault], max_seconds=options.minutes * 60, **sizes)
    where = f"{options.gallery}, segments in {options.segments}"
    said = f"{where}, seed {options.seed}, {options.writers} writers, {options.readers} readers"
    sys.stdout.write(f"{url.partition(':')[0]}, {said}\n{found.table()}\n\n")
    return found.failures


if __name__ == "__main__":
    main()
