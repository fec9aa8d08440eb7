"""A cursor decodes to the row id it was made from, and anything else is rejected."""

from __future__ import annotations

import pytest

from chalicelib.service import cursors


@pytest.mark.parametrize("row_id", [0, 1, 255, 256, 10**9, 2**62, 2**63 - 1])
def test_a_cursor_decodes_to_its_row_id(row_id: int) -> None:
    assert cursors.decode(cursors.encode(row_id)) == row_id


def test_cursors_need_no_escaping() -> None:
    assert cursors.encode(2**63 - 1).replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "text",
    ["", "1", "AAAAAAAAAA", "AAAAAAAAAAAA", "AAAAAAAAAAB", "AAAAAAAAAAA=", "gAAAAAAAAAA", "+AAAAAAAAAA", "\n" * 11],
)
def test_invalid_cursors(text: str) -> None:
    assert cursors.decode(text) is None
