"""The names of the face sets: parts of all known faces that are searched each for itself."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib import errors
from chalicelib.faces import DEFAULT_SET, DEFAULT_SET_ID
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.face_set.face_counts import forget_set

# So that the list of all fits one reply of Lambda's.
MAX_FACE_SETS = 10_000

_LIST = """SELECT named.name, COALESCE(counted.faces, 0)
    FROM face_set_name AS named LEFT JOIN face_set_count AS counted ON counted.set_id = named.id"""
_ID = "SELECT id FROM face_set_name WHERE name = ?"
_COUNT = "SELECT COUNT(*) FROM face_set_name"
_INSERT = "INSERT INTO face_set_name (name) VALUES (?)"
_LOCK = "SELECT id FROM face_set_name WHERE id = ? FOR UPDATE"
_ANYBODY = "SELECT id FROM face_set WHERE set_id = ? LIMIT 1"
_DELETE = "DELETE FROM face_set_name WHERE id = ?"
_STAYS = "SELECT id FROM face_set_name WHERE id = ? LOCK IN SHARE MODE"


class CountedFaceSet(NamedTuple):
    name: str
    faces: int


class FaceSetNames:
    """Face sets by name. A number is never used again, so a set that was deleted and made anew is another one.

    Every method raises ServiceError as `Database.read` and `Database.write` do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[CountedFaceSet]:
        """Return every face set with the number of its faces, by name."""
        return sorted(CountedFaceSet(*row) for row in self._database.read(_LIST))

    def id_of(self, name: str) -> int:
        """Return a face set's number.

        Raises
        ------
        ServiceError
            1001 (404) when there is none of that name.
        """
        if name == DEFAULT_SET:  # always there: nobody needs to be asked
            return DEFAULT_SET_ID
        rows = self._database.read(_ID, (name,))
        if not rows:
            raise errors.unknown_face_set()
        return int(rows[0][0])

    def create(self, name: str) -> bool:
        """Make a face set; return False when it is there already.

        Raises
        ------
        ServiceError
            1001 when there are MAX_FACE_SETS.
        """

        def work(transaction: Transaction) -> bool:
            if transaction.query(f"{_ID} FOR UPDATE", (name,)):
                return False
            if transaction.query(_COUNT)[0][0] >= MAX_FACE_SETS:
                raise errors.bad_argument(f"there may be at most {MAX_FACE_SETS} face sets")
            return transaction.insert(_INSERT, (name,)) is not None

        return self._database.write(work)

    def delete_if_empty(self, set_id: int) -> bool:
        """Delete a face set in which nobody is; return False when somebody is.

        Who adds to it at the same moment either is seen here, or finds it gone: see `lock_face_set`.
        """
        assert set_id != DEFAULT_SET_ID

        def work(transaction: Transaction) -> bool:
            transaction.query(_LOCK, (set_id,))
            if transaction.query(_ANYBODY, (set_id,)):
                return False
            transaction.execute(_DELETE, (set_id,))
            forget_set(transaction, set_id)
            return True

        return self._database.write(work)


def lock_face_set(transaction: Transaction, set_id: int) -> None:
    """See that a face set is there and is not deleted before the transaction ends.

    Raises
    ------
    ServiceError
        1001 (404) when it is not there.
    """
    if set_id != DEFAULT_SET_ID and not transaction.query(_STAYS, (set_id,)):
        raise errors.unknown_face_set()
