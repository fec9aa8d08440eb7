"""Reads what only AWS can say of a walk: the starts and times of containers from the function's log, and the bill."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, NamedTuple

# CloudWatch shows lines some seconds after they were written.
POLLS, POLL_SECONDS = 24, 5
# Lambda's line at the end of an invocation: "REPORT RequestId: … Duration: 12.34 ms … Max Memory Used: 300 MB …".
_REPORTED = {
    "start": re.compile(r"\b(?:Init|Restore) Duration: ([\d.]+) ms"),
    "memory": re.compile(r"\bMax Memory Used: (\d+) MB"),
}


class Figure(NamedTuple):
    """A measured figure, with a name of infra/scaling/figures.py where it replaces one."""

    name: str
    value: float
    unit: str


def lines(
    client: Any,
    group: str,
    since: float,
    requests: int,
    sleep: Callable[[float], None] = time.sleep,
) -> list[str]:
    """Return a function's log lines since a time, once they include this many answered requests or after two minutes.

    Parameters
    ----------
    since
        Seconds since 1970.
    """
    for poll in range(POLLS):
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=int(since * 1000))
        found = [event["message"] for page in pages for event in page["events"]]
        if sum(line.startswith("REPORT") for line in found) >= requests:
            break
        if poll < POLLS - 1:
            sleep(POLL_SECONDS)
    return found


def figures(found: Iterable[str]) -> list[Figure]:
    """Return the figures in a function's log lines; each is left out if no line has it."""
    reports, records = list[str](), list[dict[str, Any]]()
    for line in found:
        if line.startswith("REPORT"):
            reports.append(line)
        elif record := _record(line):
            records.append(record)
    starts, memory = (_numbers(pattern, reports) for pattern in _REPORTED.values())
    searches = [record for record in records if "SearchMilliseconds" in record]
    first = max(searches, key=lambda record: _value(record["SearchMilliseconds"]), default=None)
    named: list[tuple[str, list[float], str, Callable[[list[float]], float]]] = [
        ("a container's start", starts, "ms", median),
        ("a picture's request on Lambda", _durations(records, "/detect"), "ms", median),
        ("an addition on Lambda", _durations(records, "/addface"), "ms", median),
        ("memory of a container", memory, "MB", max),
    ]
    measured = [Figure(name, round(total(values), 1), unit) for name, values, unit, total in named if values]
    if first is not None:
        faces = int(_value(first.get("GallerySize", 0)))
        measured.append(Figure(f"slowest search, {faces:,} faces", _value(first["SearchMilliseconds"]), "ms"))
    return measured


def bill(client: Any, stage: str, days: int) -> list[tuple[str, float]]:
    """Return what each service cost in the last days, in US dollars.

    The tag `stage` must be active for cost allocation; a day's costs appear after a day.
    """
    until = datetime.now(UTC).date()
    answer = client.get_cost_and_usage(
        TimePeriod={"Start": str(until - timedelta(days=days)), "End": str(until)},
        Granularity="MONTHLY",
        Metrics=["UnblendedCost"],
        Filter={"Tags": {"Key": "stage", "Values": [stage]}},
        GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}],
    )
    costs: dict[str, float] = {}
    for period in answer["ResultsByTime"]:
        for group in period["Groups"]:
            [service] = group["Keys"]
            costs[service] = costs.get(service, 0) + float(group["Metrics"]["UnblendedCost"]["Amount"])
    return sorted(costs.items())


def _record(line: str) -> dict[str, Any] | None:
    try:
        read = json.loads(line)
    except ValueError:
        return None
    return read if isinstance(read, dict) else None


def _numbers(pattern: re.Pattern[str], texts: Iterable[str]) -> list[float]:
    return [float(found[1]) for text in texts if (found := pattern.search(text))]


def _durations(records: Iterable[dict[str, Any]], route: str) -> list[float]:
    """Return the milliseconds of a route's requests, from the lines `answered`."""
    return list(_of_route(records, route))


def _of_route(records: Iterable[dict[str, Any]], route: str) -> Iterator[float]:
    for record in records:
        if record.get("message") == "answered" and str(record.get("route", "")).endswith(route):
            yield float(record["duration_ms"])


def _value(metric: Any) -> float:
    """Return a metric's value, which the embedded metric format may write as a list."""
    return float(metric[0] if isinstance(metric, list) else metric)
