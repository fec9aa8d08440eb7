"""Every fault of the stores under every request: what was answered, how long it took, what was lost.

`python -m tests.faults.run --seed 1`: the seed gives the order of the faults, `--only` those that match a pattern.
Exits with 1 when a face was lost or came back, an answer was dishonest, or the service did not heal.
"""

from __future__ import annotations

import argparse
import random
import re
import signal
import sys
import time

from tests.faults import matrix
from tests.faults.frail_service import frail_service
from tests.faults.requests_under_fault import NAMES, Outcome


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", metavar="PATTERN")
    options = parser.parse_args()
    # As an interrupt from the keyboard, so that servers are cleared away.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    cases = [name for name in matrix.CASES if re.search(options.only, name)]
    random.Random(options.seed).shuffle(cases)
    started, outcomes = time.monotonic(), {}
    with frail_service() as service:
        for name in cases:
            begun = time.monotonic()
            outcomes[name] = matrix.run(service, matrix.CASES[name])
            sys.stderr.write(f"{time.monotonic() - begun:5.1f} s  ")
            sys.stderr.write(f"{name}: {outcomes[name].wrong or 'as it should be'}\n")
    sys.stdout.write(table({name: outcomes[name] for name in matrix.CASES if name in outcomes}))
    sys.stdout.write(f"\n\nSeed {options.seed}, {time.monotonic() - started:.0f} s.\n")
    sys.exit(any(outcome.failed for outcome in outcomes.values()))


def table(outcomes: dict[str, Outcome]) -> str:
    """Return the answers as rows of Markdown: statuses, seconds of the slowest, and totals."""
    lines = [
        f"| fault | {' | '.join(NAMES)} | slowest, s | healed after | orphans |",
        "|---" * (len(NAMES) + 4) + "|",
    ]
    for name, outcome in outcomes.items():
        cells = [str(outcome.answers[request].status) if request in outcome.answers else "" for request in NAMES]
        slowest = max(answer.seconds for answer in outcome.answers.values())
        lines.append(f"| {name} | {' | '.join(cells)} | {slowest:.1f} | {outcome.healed_after} | {outcome.orphans} |")
    found = outcomes.values()
    injected = sum(len(outcome.answers) for outcome in found)
    return "\n".join(
        [
            *lines,
            "",
            f"{len(outcomes)} faults under {injected} requests; lost faces: {sum(o.lost for o in found)}, "
            f"resurrected faces: {sum(o.resurrected for o in found)}, "
            f"dishonest answers and broken invariants: {sum(len(o.wrong) for o in found)}, "
            f"slowest answer: {max(a.seconds for o in found for a in o.answers.values()):.1f} s, "
            f"requests until healed, at most: {max(o.healed_after for o in found)}",
        ]
    )


if __name__ == "__main__":
    main()
