"""How many faces each face set has, kept by the transactions that change it: no request counts rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from chalicelib.stores.database.base import Transaction

# At most as many rows as there may be face sets.
TOTAL = "SELECT COALESCE(SUM(faces), 0) FROM face_set_count"

_CHANGE = "UPDATE face_set_count SET faces = faces + ? WHERE set_id = ?"
_BEGIN = "INSERT INTO face_set_count (set_id, faces) SELECT ?, COUNT(*) FROM face_set WHERE set_id = ?"
_END = "DELETE FROM face_set_count WHERE set_id = ?"


def count_added(transaction: Transaction, set_ids: Iterable[int]) -> None:
    """Count faces that the transaction has added, one for each number of a set. See `_change`."""
    for set_id, faces in sorted(Counter(set_ids).items()):
        _change(transaction, set_id, faces)


def count_removed(transaction: Transaction, set_ids: Iterable[int]) -> None:
    """Count faces that the transaction has removed, one for each number of a set. See `_change`."""
    for set_id, faces in sorted(Counter(set_ids).items()):
        _change(transaction, set_id, -faces)


def forget_set(transaction: Transaction, set_id: int) -> None:
    transaction.execute(_END, (set_id,))


def _change(transaction: Transaction, set_id: int, difference: int) -> None:
    """Change a set's number, after the rows and the log: whoever has raised the log's counter writes alone.

    A set without a number is new. Its rows are counted, of which nobody else can commit any meanwhile.
    """
    if not transaction.execute(_CHANGE, (difference, set_id)):
        transaction.execute(_BEGIN, (set_id, set_id))
