"""Prints tables of measured figures, and writes them to documents."""

from __future__ import annotations

import platform
import re
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "benchmarks.md"


def median_ms(action: Callable[[], object], runs: int) -> float:
    """Return the median time of an action in milliseconds."""
    return interleaved_ms([action], runs)[0]


def interleaved_ms(actions: Sequence[Callable[[], object]], runs: int) -> list[float]:
    """Run the actions in turn, so that changes in the machine's speed affect all of them; return their medians.

    Each timed run follows an untimed run, so that the caches do not depend on the previous action.
    """
    times: list[list[float]] = [[] for _ in actions]
    for _ in range(runs):
        for action, taken in zip(actions, times, strict=True):
            action()
            started = time.perf_counter()
            action()
            taken.append((time.perf_counter() - started) * 1000)
    return [statistics.median(taken) for taken in times]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in [header, ["---"] * len(header), *rows]]
    return "\n".join(lines)


def processor() -> str:
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return model.group(1) if model else platform.processor()


def machine() -> str:
    return f"{processor()} ({platform.machine()}), Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"


def write_section(name: str, text: str, into: Path = DOCUMENT) -> None:
    """Print a section, and replace the section of the same name in a document.

    A section that is not there yet follows the last one whose name has the same beginning, up to a comma.
    """
    print(text)
    begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
    document = into.read_text()
    before, found, rest = document.partition(begin)
    after = rest.partition(end)[2]
    if not found:
        *_, last = re.finditer(f"<!-- end {name.partition(',')[0]}.* -->", document)
        before, after = f"{document[: last.end()]}\n\n", document[last.end() :]
    into.write_text(f"{before}{begin}\n{text}\n{end}{after}")
