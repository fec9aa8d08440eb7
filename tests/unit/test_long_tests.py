"""The tests that `make test` leaves out exist, so a rename does not bring them back unnoticed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.long_tests import LONG, SMOKE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("pattern", LONG)
def test_a_pattern_names_a_test(pattern: str) -> None:
    file, *names = pattern.split("::")
    text = (ROOT / file).read_text()

    for name in names:
        plain = re.split(r"[*\[]", name)[0]
        assert re.search(rf"(class|def) {plain}", text), name


@pytest.mark.parametrize("name", sorted(SMOKE))
def test_a_smoke_test_exists(name: str) -> None:
    assert any(f"def {name}(" in file.read_text() for file in (ROOT / "tests" / "e2e").glob("*.py"))


def test_the_smoke_tests_are_few() -> None:
    assert len(SMOKE) < 32
