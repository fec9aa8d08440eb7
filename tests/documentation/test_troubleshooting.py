"""docs/troubleshooting.md has an entry for each error and each warning of the service, and for nothing else."""

from __future__ import annotations

import re

from tests.documentation import messages
from tests.documentation.commands import ROOT

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")


def test_every_error_and_warning_has_an_entry_and_no_entry_is_old() -> None:
    entries = {entry for cell in re.findall(r"^\| (`.+?`) \|", PAGE, re.MULTILINE) for entry in _split(cell)}

    assert entries == messages.errors() | messages.log_lines()


def test_the_collector_finds_the_messages_of_every_kind() -> None:
    assert {
        "there is no such address",
        "the server failed; the fault is logged under this request's id",
        "the Host header must be localhost, … or an IP address",
        "the request did not arrive in time",
        "LOG_LEVEL must be one of …",
    } <= messages.errors()
    assert {"native code: …", "… … failed", "the database failed: …"} <= messages.log_lines()


def _split(cell: str) -> list[str]:
    """Return the messages of a table's first cell."""
    # Around a message that contains backticks there are two, with a space.
    return [part[3:-3] if part.startswith("``") else part[1:-1] for part in cell.split("<br>")]
