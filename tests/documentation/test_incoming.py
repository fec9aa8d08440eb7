"""The page about incoming pictures shows what the watched folder does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.documentation.commands import ROOT
from tests.documentation.pages import Reader
from tests.e2e.local_stack import LocalStack


@pytest.fixture
def _empty_folder(sqlite_stack: LocalStack) -> Iterator[None]:
    yield
    sqlite_stack.empty_watched_folder()


@pytest.mark.usefixtures("_empty_folder")
def test_the_pages_commands_give_the_outputs_shown(reader: Reader) -> None:
    reader.follow(ROOT / "docs" / "incoming.md")
