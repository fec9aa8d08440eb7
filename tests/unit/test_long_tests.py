"""The smoke tests exist. tests/conftest.py checks the other names of tests/long_tests.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.long_tests import SMOKE

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(SMOKE))
def test_a_smoke_test_exists(name: str) -> None:
    assert any(f"def {name}(" in file.read_text() for file in (ROOT / "tests" / "e2e").glob("*.py"))


def test_the_smoke_tests_are_few() -> None:
    assert len(SMOKE) < 32
