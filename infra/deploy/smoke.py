"""Walks through a deployed stage over HTTPS, and writes what the walk measured as Markdown and JSON.

`python -m infra.deploy.smoke STAGE` uses the stage's first API key and its function's log. `--url` walks through any
other service, with the header in the environment's SMOKE_HEADER, such as "x-api-key: …".
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles

from infra.deploy import smoke_logs
from infra.deploy.account import CONFIG, Account, explained, sign_in
from infra.deploy.costs import table
from infra.deploy.errors import DeployError
from infra.deploy.migration import log_group
from infra.deploy.smoke_logs import Figure
from infra.deploy.smoke_walk import Service, walk
from infra.deploy.stack import Stack, stack_name

HEADER = "SMOKE_HEADER"
ROOT = Path(__file__).parents[2]
BILLED_DAYS = 7


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy.smoke", description=__doc__)
    parser.add_argument("stage", nargs="?", help="a deployed stage")
    parser.add_argument("--url", help="a service's address, in place of a stage")
    parser.add_argument("--repeats", type=int, default=20, help="how often the requests with a picture are sent")
    parser.add_argument("--bill", action="store_true", help="also ask Cost Explorer for the stage's last seven days")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "smoke", help="folder of the results")
    options = parser.parse_args(arguments)
    if bool(options.stage) == bool(options.url):
        parser.error("name a stage or --url")
    try:
        with explained():
            account = sign_in() if options.stage else None
            figures, place = _walked(account, options.stage, options.url, max(1, options.repeats))
            bill = []
            if account and options.bill:
                bill = smoke_logs.bill(account.session.client("ce", config=CONFIG), options.stage, BILLED_DAYS)
    except DeployError as error:
        sys.exit(f"The smoke test failed: {error}.")
    text = _write(figures, bill, place, options.into)
    print(text)


def _walked(account: Account | None, stage: str | None, url: str | None, repeats: int) -> tuple[list[Figure], str]:
    """Walk through a service; return the figures and where they were measured."""
    started = time.time()
    if account is None or stage is None:
        header = os.environ.get(HEADER, "")
        name, _, value = header.partition(":")
        service = Service(str(url), {name.strip(): value.strip()} if header else {})
        walk(service, repeats)
        return _times(service), str(url)
    outputs = Stack(account.session.client("cloudformation", config=CONFIG), stack_name(stage)).outputs()
    if "ApiUrl" not in outputs:
        raise DeployError(f"there is no stack {stack_name(stage)} in region {account.region}")
    service = Service(outputs["ApiUrl"], {"x-api-key": _key(account, outputs["ApiKeyId"])})
    walk(service, repeats)
    group = log_group(account.session.client("lambda", config=CONFIG), outputs["ApiFunction"])
    lines = smoke_logs.lines(account.session.client("logs", config=CONFIG), group, started, service.sent)
    return [*smoke_logs.figures(lines), *_times(service)], f"{account.region}, stage {stage}"


def _key(account: Account, key: str) -> str:
    found = account.session.client("apigateway", config=CONFIG).get_api_key(apiKey=key, includeValue=True)
    return str(found["value"])


def _times(service: Service) -> list[Figure]:
    """Return the median and the 90th percentile of each route that was called more than once, as the client saw it."""
    figures = []
    for route, taken in service.milliseconds.items():
        if len(taken) > 1:
            figures.append(Figure(f"{route}, median with the network", round(median(taken), 1), "ms"))
            figures.append(Figure(f"{route}, 90 % with the network", round(quantiles(taken, n=10)[-1], 1), "ms"))
    return figures


def _write(figures: Sequence[Figure], bill: Sequence[tuple[str, float]], place: str, into: Path) -> str:
    """Write measured.md and measured.json, in the form of docs/scaling.md and its figures; return the text."""
    source = f"python -m infra.deploy.smoke, {place}, {datetime.now(UTC):%d %B %Y}"
    rows = [[name, f"{value:,g}", unit, source] for name, value, unit in figures]
    text = table(["name", "figure", "unit", "source"], rows)
    if bill:
        costs = [[service, f"{dollars:,.2f}"] for service, dollars in bill]
        text += f"\n\n{table(['', f'US dollars in {BILLED_DAYS} days'], costs)}"
    into.mkdir(parents=True, exist_ok=True)
    (into / "measured.md").write_text(text + "\n", encoding="utf-8")
    content = {
        "figures": {name: {"value": value, "unit": unit, "source": source} for name, value, unit in figures},
        "bill": dict(bill),
    }
    (into / "measured.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return text


if __name__ == "__main__":
    main()
