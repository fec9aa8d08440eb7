"""Checks that the tests catch deliberate faults: `python -m tests.harness.mutants [--only ID ...]`.

Each fault is applied to a temporary copy of the checkout, where its tests must fail. The tests first run on unchanged
code, where they must pass. The working tree is never changed.

Exit status: 0 when every fault was caught, 1 when a fault survived, 2 when a fault or its tests are not valid.
"""

from __future__ import annotations

import argparse
import queue
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.harness.benchmarks.report import table, write_section
from tests.harness.mutants.checkout import Run, copy_of, copy_working_tree, run_tests
from tests.harness.mutants.fault import ROOT, Fault, read

DOCUMENT = ROOT / "docs" / "mutants.md"
SECTION = "mutants"
LIMIT_SECONDS = 600.0
# With a fault, tests may take this many times as long as without it, and at least LEAST_LIMIT_SECONDS: a browser test
# waits a minute for what the page should show.
LIMIT_FACTOR, LEAST_LIMIT_SECONDS = 8, 150.0
OUTPUT_LINES = 30

T = TypeVar("T")
R = TypeVar("R")


class Outcome(NamedTuple):
    fault: Fault
    run: Run

    @property
    def verdict(self) -> str:
        if self.run.error:
            return "ERROR"
        return "caught" if self.run.failed else "SURVIVED"

    @property
    def by(self) -> str:
        return "time limit: the tests hang" if self.run.code is None else self.run.by


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.mutants", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="the faults to try")
    parser.add_argument("--jobs", type=int, default=1, help="how many faults are tried at once")
    parser.add_argument("--all-tests", action="store_true", help="run all tests for each fault, in place of its own")
    parser.add_argument("--limit", type=float, default=LIMIT_SECONDS, metavar="SECONDS", help="for tests that pass")
    parser.add_argument("--write", action="store_true", help="write the table into docs/mutants.md")
    options = parser.parse_args(arguments)
    faults = [fault for fault in read() if not options.only or fault.id in options.only]
    if options.write and options.only:
        parser.error("--write needs all faults: leave out --only")
    if unknown := set(options.only) - {fault.id for fault in faults}:
        parser.error(f"there is no fault {', '.join(sorted(unknown))}")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="face-search-mutants-") as folder:
        outcomes = _try_all(faults, Path(folder), options)
    if outcomes is None:
        return 2
    text = _described(outcomes, time.monotonic() - started, options.jobs)
    if options.write:
        write_section(SECTION, text, DOCUMENT)
    else:
        sys.stdout.write(f"{text}\n")
    verdicts = {outcome.verdict for outcome in outcomes}
    return 2 if "ERROR" in verdicts else int("SURVIVED" in verdicts)


def _try_all(faults: Sequence[Fault], folder: Path, options: argparse.Namespace) -> list[Outcome] | None:
    """Return the outcome of each fault, or None when a fault or its tests are not valid."""
    sound = copy_working_tree(_made(folder / "sound"))
    wrong = [fault for fault in faults if fault.occurrences(sound) != 1]
    for fault in wrong:
        count = fault.occurrences(sound)
        sys.stderr.write(f"{fault.id}: its text must occur once in {fault.file}, not {count} times\n")
    if wrong:
        return None

    def tests_of(fault: Fault) -> tuple[str, ...]:
        return ("tests",) if options.all_tests else fault.tests

    def baseline(tests: tuple[str, ...], worker: int) -> Run:
        run = run_tests(sound, tests, limit=options.limit, worker=worker)
        sys.stderr.write(f"{'passed' if _is_sound(run) else 'FAILED'} {run.seconds:5.1f} s  {' '.join(tests)}\n")
        return run

    test_sets = list(dict.fromkeys(map(tests_of, faults)))
    runs = dict(zip(test_sets, _in_parallel(baseline, test_sets, options.jobs), strict=True))
    unsound = [run for run in runs.values() if not _is_sound(run)]
    for run in unsound:
        sys.stderr.write(f"\nThe tests do not pass on unchanged code:\n{_end_of(run)}\n")
    if unsound:
        return None

    def attempt(fault: Fault, worker: int) -> Outcome:
        with tempfile.TemporaryDirectory(dir=folder) as place:
            changed = copy_of(sound, Path(place))
            fault.apply(changed)
            limit = max(LEAST_LIMIT_SECONDS, LIMIT_FACTOR * runs[tests_of(fault)].seconds)
            outcome = Outcome(fault, run_tests(changed, tests_of(fault), limit=limit, worker=worker))
        sys.stderr.write(f"{outcome.verdict:8} {outcome.run.seconds:5.1f} s  {fault.id}  {outcome.by}\n")
        if outcome.run.error:
            sys.stderr.write(f"{_end_of(outcome.run)}\n")
        return outcome

    return _in_parallel(attempt, faults, options.jobs)


def _is_sound(run: Run) -> bool:
    """Return whether tests passed; skipped tests prove nothing."""
    return run.code == 0 and run.passed


def _in_parallel(work: Callable[[T, int], R], items: Iterable[T], jobs: int) -> list[R]:
    """Do work for each item, with a number that no other work has at the same time; return the results in order."""
    free: queue.Queue[int] = queue.Queue()
    for number in range(jobs):
        free.put(number)

    def numbered(item: T) -> R:
        number = free.get()
        try:
            return work(item, number)
        finally:
            free.put(number)

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(numbered, items))


def _described(outcomes: Sequence[Outcome], seconds: float, jobs: int) -> str:
    rows = [
        (
            f"`{outcome.fault.id}`",
            f"`{outcome.fault.file}`",
            outcome.fault.breaks,
            outcome.verdict,
            f"`{outcome.by}`".replace("|", "\\|") if outcome.run.by else outcome.by,
            f"{outcome.run.seconds:.0f}",
        )
        for outcome in outcomes
    ]
    caught = sum(outcome.verdict == "caught" for outcome in outcomes)
    total = f"{caught} of {len(outcomes)} faults caught in {seconds / 60:.0f} minutes, {time.strftime('%Y-%m-%d')}."
    command = f"`python -m tests.harness.mutants --jobs {jobs} --write`"
    return f"{table(('fault', 'file', 'what breaks', 'result', 'by', 's'), rows)}\n\n{command}: {total}"


def _end_of(run: Run) -> str:
    return "\n".join(run.output.splitlines()[-OUTPUT_LINES:])


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
