"""Reads and prints the service's lists, page by page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from .api import Api

MAX_PAGE = 1_000


def list_all(
    api: Api,
    path: str,
    what: str,
    arguments: Mapping[str, str | None],
    limit: int,
    raw: bool,
    show: Callable[[list[dict[str, Any]]], None],
) -> None:
    """Print at most `limit` items of a list: with `show`, or with `raw` as the service's JSON, one line a page."""
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = {**arguments, "cursor": cursor, "limit": min(limit - len(items), MAX_PAGE)}
        reply = api.call("GET", path, page)
        items += reply.body[what]
        if raw:
            click.echo(reply.text)
        cursor = reply.body["next_cursor"]
        if cursor is None or len(items) >= limit:
            break
    if not raw:
        show(items)
        if cursor is not None:
            click.echo(f"There are more {what}: raise --limit.", err=True)
