"""The reference pages list every setting, Makefile target, model pack and error code, and nothing else."""

from __future__ import annotations

import re

from chalicelib.errors import MESSAGES
from chalicelib.settings import SETTINGS
from tests.documentation.commands import ROOT

DOCS = ROOT / "docs"


def test_the_settings_page_has_every_setting_and_its_default() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]+)` )?\| ", _page("settings"), re.MULTILINE)

    assert rows == [(setting.name, setting.default) for setting in SETTINGS]


def test_every_make_target_has_a_row() -> None:
    phony = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert phony

    assert sorted(re.findall(r"^\| `([a-z0-9-]+)` \|", _page("commands"), re.MULTILINE)) == sorted(phony[1].split())


def test_every_pack_has_a_row() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)`", _page("models"), re.MULTILINE)

    assert sorted(rows) == sorted(card.stem for card in (ROOT / "models" / "cards").glob("*.toml"))


def test_the_api_page_has_every_error_code() -> None:
    rows = re.findall(r"^\| (\d{4}) \| `(\w+)` \|", _page("api"), re.MULTILINE)

    assert rows == list(MESSAGES.items())


def test_settings_targets_and_codes_have_rows_on_no_other_page() -> None:
    rows = {
        r"^\| `(?:" + "|".join(setting.name for setting in SETTINGS) + r")` \|": {"settings.md"},
        r"^\| 100[1-7] \|": {"api.md"},
    }
    pages = [ROOT / "README.md", *DOCS.glob("*.md")]

    for row, expected in rows.items():
        assert {page.name for page in pages if re.search(row, page.read_text("utf-8"), re.MULTILINE)} == expected


def _page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text("utf-8")
