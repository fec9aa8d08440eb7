"""Times round-trip through text, in every year."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chalicelib import times


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-62_135_596_800, "0001-01-01T00:00:00Z"),
        (-30_610_224_001, "0999-12-31T23:59:59Z"),
        (0, "1970-01-01T00:00:00Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ],
)
def test_a_year_is_written_with_four_digits(seconds: int, text: str) -> None:
    assert times.as_text(seconds) == text
    assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp() == seconds
