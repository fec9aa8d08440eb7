"""Checks and times the answers to many clients at once, from several processes on one MySQL database.

`python -m tests.harness.load.run --clients 64 --seconds 60 --workers 3 --seed 1` exits with 1 when anything is wrong.
Each request goes to a random process, so that a client mostly reads changes that it made through another process.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.harness.load.client import Client
from tests.harness.load.journal import Journal
from tests.harness.load.timed_api import table
from tests.harness.load.workers import workers
from tests.harness.stress.databases import new_mysql

MOST_SHOWN = 20


@dataclass(frozen=True)
class Load:
    """The result of a run; `seconds` is from the first request to the last answer."""

    clients: list[Client]
    seconds: float

    @property
    def wrong(self) -> list[str]:
        return [wrong for client in self.clients for wrong in client.wrong]

    @property
    def statuses(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for client in self.clients:
            for status, number in client.latencies.statuses.items():
                found[status] = found.get(status, 0) + number
        return dict(sorted(found.items()))

    def report(self) -> str:
        failed = sum(number for status, number in self.statuses.items() if status >= 500)
        checks, own_writes = (sum(getattr(c, what) for c in self.clients) for what in ("checks", "own_writes"))
        return "\n".join(
            [
                table([client.latencies for client in self.clients], self.seconds),
                f"statuses: {', '.join(f'{status}: {number:,}' for status, number in self.statuses.items())}",
                f"5xx: {failed}, wrong: {len(self.wrong)}, of {checks:,} checks; own writes looked for: {own_writes:,}",
                *self.wrong[:MOST_SHOWN],
            ]
        )


def load(ports: list[int], *, clients: int, seconds: float, seed: int, least_writes: int = 0) -> Load:
    """Send the clients' requests to an empty face set, served on the ports.

    Each client continues until it has searched for `least_writes` of its own writes, however slow the machine is.
    """
    journal = Journal()
    all_clients = [Client(number, ports, seed, journal, least_writes) for number in range(clients)]
    started = time.perf_counter()
    threads = [threading.Thread(target=client.run, args=(started + seconds,)) for client in all_clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(all_clients, time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.harness.load.run", description=__doc__)
    for option, default in {"clients": 64, "seconds": 60, "workers": 3, "seed": 1}.items():
        parser.add_argument(f"--{option}", type=int, default=default)
    options = parser.parse_args()
    # Like an interrupt from the keyboard, so that processes and databases are removed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with new_mysql() as url, TemporaryDirectory(prefix="face-search-load-") as folder:
        if url is None:
            parser.exit(1, "there is no MySQL server on this machine\n")
        with workers(options.workers, Path(folder), url) as ports:
            before = os.getloadavg()[0]
            found = load(ports, clients=options.clients, seconds=options.seconds, seed=options.seed)
    sys.stdout.write(
        f"{options.clients} clients, {found.seconds:.1f} s, {options.workers} processes, seed {options.seed}, "
        f"load of the machine before and after: {before:.1f}, {os.getloadavg()[0]:.1f}\n{found.report()}\n"
    )
    sys.exit(bool(found.wrong))


if __name__ == "__main__":
    main()
