"""docs/operations-metrics.md describes every metric that the service writes."""

from __future__ import annotations

import re

from chalicelib.telemetry.metrics import Metric
from tests.documentation.commands import ROOT


def test_every_metric_is_described() -> None:
    page = (ROOT / "docs" / "operations-metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (count|ms) \|", page, re.MULTILINE)

    units = {"Count": "count", "Milliseconds": "ms"}
    assert set(rows) == {(name, units[unit]) for name, unit in (metric.value for metric in Metric)}
