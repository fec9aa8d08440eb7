"""A cursor decodes to the row id it was made from, and anything else is rejected."""

from __future__ import annotations

import pytest

from chalicelib.service import cursors


@pytest.mark.parametrize("row_id", [0, 1, 255, 256, 10**9, 2**62, 2**63 - 1])
def test_a_cursor_decodes_to_its_row_id(row_id: int) -> None:
    assert cursors.decode(cursors.encode(row_id)) == (row_id,)
    assert cursors.decode(cursors.encode(row_id, 5), 2) == (row_id, 5)


def test_cursors_need_no_escaping() -> None:
    assert cursors.encode(2**63 - 1).replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "text",
    ["", "1", "AAAAAAAAAA", "AAAAAAAAAAAA", "AAAAAAAAAAB", "AAAAAAAAAAA=", "gAAAAAAAAAA", "+AAAAAAAAAA", "\n" * 11],
)
def test_invalid_cursors(text: str) -> None:
    assert cursors.decode(text) is None


@pytest.mark.parametrize("text", ["A" * 11, "A" * 21 + "B", "A" * 20, "A" * 21 + "=", "gAAAAAAAAAAAAAAAAAAAAA"])
def test_invalid_cursors_of_two_row_ids(text: str) -> None:
    assert cursors.decode(text, 2) is None
