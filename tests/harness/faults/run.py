"""Applies every store fault to every request, and kills every operation at every step, to find lost faces.

`python -m tests.harness.faults.run --seed 1`: the seed sets the order; `--only` selects the faults and operations that
match a pattern. Exits with 1 when a face was lost or came back, an answer was wrong, or the service did not recover.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.schema import migrate
from tests.harness.faults import matrix, report
from tests.harness.faults.crashes import OPERATIONS, Crashes, Ward
from tests.harness.faults.faulty_aws import FaultyAws
from tests.harness.faults.frail_service import frail_service, stores_behind
from tests.harness.faults.nursery import Nursery
from tests.harness.faults.requests_under_fault import Outcome
from tests.harness.stress.databases import new_mysql, new_sqlite


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.faults.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="PATTERN")
    options = parser.parse_args()
    # Like an interrupt from the keyboard, so that servers are stopped.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    started = time.monotonic()
    faults, crashes = _faults(options.seed, options.only), _crashes(options.only)
    if faults:
        sys.stdout.write(f"{report.of_faults(faults)}\n\n")
    if crashes:
        sys.stdout.write(f"{report.of_crashes(crashes)}\n\n")
    sys.stdout.write(f"Seed {options.seed}, {time.monotonic() - started:.0f} s.\n")
    found = [*(fault.failed for fault in faults.values()), *(c.failed for each in crashes.values() for c in each)]
    sys.exit(any(found))


def _faults(seed: int, only: str) -> dict[str, Outcome]:
    names = [name for name in matrix.CASES if re.search(only, name)]
    if not names:
        return {}
    random.Random(seed).shuffle(names)
    outcomes = {}
    with frail_service() as service:
        for name in names:
            outcomes[name] = matrix.run(service, matrix.CASES[name])
            sys.stderr.write(f"{name}: {outcomes[name].wrong or 'as it should be'}\n")
    return {name: outcomes[name] for name in matrix.CASES if name in outcomes}


def _crashes(only: str) -> dict[str, list[Crashes]]:
    operations = [name for name in OPERATIONS if re.search(only, name)]
    if not operations:
        return {}
    found: dict[str, list[Crashes]] = {}
    with Nursery() as nursery:
        for database in (new_sqlite(), new_mysql()):
            with database as url:
                if url is None:
                    sys.exit("there is no MySQL server on this machine")
                with ward(nursery, url) as place:
                    for operation in operations:
                        crashes = place.crash(operation)
                        found.setdefault(url.partition(":")[0], []).append(crashes)
                        sys.stderr.write(f"{operation}: {crashes.wrong or 'as it should be'}\n")
    return found


@contextmanager
def ward(nursery: Nursery, url: str) -> Iterator[Ward]:
    """Migrate a database, and yield the stores of processes that are killed."""
    database = connect(url)
    migrate(database)
    database.close()
    faulty = FaultyAws()
    try:
        with stores_behind(faulty, url) as stores:
            place = Ward(nursery, faulty, stores)
            place.prepare()
            yield place
    finally:
        faulty.stop()


if __name__ == "__main__":
    main()
