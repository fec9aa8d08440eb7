"""Formats a run's findings as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.harness.faults.crashes import Crashes
from tests.harness.faults.requests_under_fault import NAMES, Outcome


def of_faults(outcomes: Mapping[str, Outcome]) -> str:
    """Return a row per fault: statuses, the slowest answer in seconds, requests until recovery, and orphans."""
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
    total = (
        f"{len(outcomes)} faults under {injected} requests; lost faces: {sum(o.lost for o in found)}, "
        f"resurrected faces: {sum(o.resurrected for o in found)}, "
        f"dishonest answers and broken invariants: {sum(len(o.wrong) for o in found)}, "
        f"slowest answer: {max(a.seconds for o in found for a in o.answers.values()):.1f} s, "
        f"requests until healed, at most: {max(o.healed_after for o in found)}"
    )
    return "\n".join([*lines, "", total])


def of_crashes(crashes: Mapping[str, Sequence[Crashes]]) -> str:
    """Return a row per operation and database: kills, orphans found before `reconcile`, and errors."""
    lines = ["| database | operation | kills | orphans | lost | resurrected | wrong |", "|---" * 7 + "|"]
    for database, found in crashes.items():
        for crash in found:
            counts = (len(crash.killed_at), crash.orphans, crash.lost, crash.resurrected, len(crash.wrong))
            lines.append(f"| {database} | {crash.operation} | {' | '.join(map(str, counts))} |")
    every = [crash for found in crashes.values() for crash in found]
    total = (
        f"{sum(len(crash.killed_at) for crash in every)} kills; lost faces: {sum(crash.lost for crash in every)}, "
        f"resurrected faces: {sum(crash.resurrected for crash in every)}, "
        f"orphans left by reconcile, and broken invariants: {sum(len(crash.wrong) for crash in every)}"
    )
    return "\n".join([*lines, "", total, *(told for crash in every for told in crash.wrong)])
