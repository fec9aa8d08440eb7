"""The number of faces in each face set. Each transaction that changes faces updates it, so no request counts rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chalicelib.stores.database.base import Transaction

# Reads one row per face set at most.
TOTAL = "SELECT COALESCE(SUM(faces), 0) FROM face_set_count"

_CHANGE = "UPDATE face_set_count SET faces = faces + ? WHERE set_id = ?"
_BEGIN = "INSERT INTO face_set_count (set_id, faces) SELECT ?, COUNT(*) FROM face_set WHERE set_id = ?"
_END = "DELETE FROM face_set_count WHERE set_id = ?"


def count_added(transaction: Transaction, set_ids: Iterable[int]) -> None:
    """Count the faces that the transaction has added; `set_ids` has one entry per face. See `_change`."""
    for set_id, faces in sorted(Counter(set_ids).items()):
        _change(transaction, set_id, faces)


def count_removed(transaction: Transaction, set_ids: Iterable[int]) -> None:
    """Count the faces that the transaction has removed; `set_ids` has one entry per face. See `_change`."""
    for set_id, faces in sorted(Counter(set_ids).items()):
        _change(transaction, set_id, -faces)


def forget_set(transaction: Transaction, set_id: int) -> None:
    transaction.execute(_END, (set_id,))


def _change(transaction: Transaction, set_id: int, difference: int) -> None:
    """Change a face set's count. Call this after writing the rows and the log.

    Raising the log's counter locks out other writers until the commit. A face set without a count is new: its rows are
    counted, and no other transaction can commit rows meanwhile.
    """
    if not transaction.execute(_CHANGE, (difference, set_id)):
        transaction.execute(_BEGIN, (set_id, set_id))
