"""Operates the view that adds many faces."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator

from tests.browser.console import Console
from tests.e2e.http_api import HttpApi


def added(api: HttpApi, **arguments: str) -> list[str]:
    return sorted(face["face_name"] for face in api.get("/faces", **arguments).body["faces"])


def heading(console: Console, words: str) -> Locator:
    return console.page.get_by_role("heading", name=words, exact=True)


def name_of(console: Console, path: str) -> Locator:
    return console.page.get_by_role("combobox", name=f"Name for {path}")


def press(console: Console, button: str) -> None:
    console.page.get_by_role("button", name=button, exact=True).click()


def report(console: Console) -> dict[str, dict[str, str]]:
    """Return the rows of the downloaded report by file."""
    with console.page.expect_download() as download:
        press(console, "Download the report (CSV)")
    text = Path(download.value.path()).read_text(encoding="utf-8-sig")
    return {row["file"]: row for row in csv.DictReader(text.splitlines())}


def answer_groups(console: Console, reply: Callable[[list[str]], dict[str, Any]]) -> None:
    """Answer /groups in place of the service, which groups only faces that are alike."""
    console.page.route(
        "**/groups", lambda route: route.fulfill(json=reply(json.loads(route.request.post_data or "")["face_tokens"]))
    )


def forgive_broken_requests(console: Console) -> None:
    console.watch.complaints = [text for text in console.watch.complaints if "net::ERR_FAILED" not in text]
