"""Compare the stored face counts of all face sets with the rows."""

from __future__ import annotations

from chalicelib.stores.database.base import Database


def assert_counts_are_right(database: Database) -> None:
    counted = sorted(database.read("SELECT set_id, faces FROM face_set_count WHERE faces <> 0"))
    rows = sorted(database.read("SELECT set_id, COUNT(*) FROM face_set GROUP BY set_id"))
    assert counted == rows
