"""The records in docs/decisions have a status, and docs/decisions/README.md lists each of them."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.documentation.commands import ROOT

FOLDER = ROOT / "docs" / "decisions"
INDEX = FOLDER / "README.md"
RECORDS = sorted(FOLDER.glob("[0-9]*.md"))

_LINK = r"\[\d{4}\]\(\d{4}-[a-z0-9-]+\.md\)"
_LINKS = rf"{_LINK}(?:(?:, | and ){_LINK})*"
_TARGET = re.compile(r"\[(\d{4})\]\(([^)]+)\)")
_STATUS = re.compile(rf"accepted(?:, changed in part by {_LINKS})?(?:, changes {_LINKS})?|superseded by {_LINKS}")
_REPLACED = re.compile(rf"(?:changed in part by|superseded by) ({_LINKS})")
_ROW = re.compile(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+) \| (.+) \|$", re.MULTILINE)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_record_has_a_title_and_a_status(record: Path) -> None:
    title, blank, status, *_ = record.read_text("utf-8").splitlines()

    assert title.startswith("# ")
    assert not blank
    assert _STATUS.fullmatch(status.removeprefix("Status: "))
    assert status.startswith("Status: ")


def test_the_index_lists_each_record_once() -> None:
    listed = Counter(file for _, file, _, _ in _rows())

    assert listed == Counter(record.name for record in RECORDS)


def test_the_index_has_the_records_titles_and_status() -> None:
    for number, file, title, status in _rows():
        assert file.startswith(f"{number}-")
        assert (title, status) == (_title(FOLDER / file), _status(FOLDER / file))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_link_between_records_leads_to_the_number_it_names(record: Path) -> None:
    for number, file in _TARGET.findall(record.read_text("utf-8")):
        assert file.startswith(f"{number}-")
        assert (FOLDER / file).is_file()


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_later_record_that_changes_this_one_exists_and_says_so(record: Path) -> None:
    match = _REPLACED.search(_status(record))
    for _, file in _TARGET.findall(match[1]) if match else ():
        assert file > record.name
        later = (FOLDER / file).read_text("utf-8")
        assert record.name in later


def test_numbers_are_unique() -> None:
    assert len({record.name[:4] for record in RECORDS}) == len(RECORDS)


def _rows() -> list[tuple[str, str, str, str]]:
    return _ROW.findall(INDEX.read_text("utf-8"))


def _title(record: Path) -> str:
    return record.read_text("utf-8").splitlines()[0].removeprefix("# ")


def _status(record: Path) -> str:
    return record.read_text("utf-8").splitlines()[2].removeprefix("Status: ")
