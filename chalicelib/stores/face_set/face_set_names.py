"""Stores the names of the face sets. Each face set is searched separately."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib import errors
from chalicelib.faces import DEFAULT_SET, DEFAULT_SET_ID
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.face_set.face_counts import forget_set
from chalicelib.stores.face_set.person_rows import forget_people

# The list of all face sets must fit into one Lambda reply.
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
    """Face sets by name. Numbers are never reused, so a face set deleted and created again gets a new number.

    Every method raises ServiceError as `Database.read` and `Database.write` do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[CountedFaceSet]:
        """Return every face set with its number of faces, sorted by name."""
        return sorted(CountedFaceSet(*row) for row in self._database.read(_LIST))

    def id_of(self, name: str) -> int:
        """Return a face set's number.

        Raises
        ------
        ServiceError
            1001 (404) when there is no face set of that name.
        """
        if name == DEFAULT_SET:  # always exists, so no query is needed
            return DEFAULT_SET_ID
        rows = self._database.read(_ID, (name,))
        if not rows:
            raise errors.unknown_face_set()
        return int(rows[0][0])

    def create(self, name: str) -> bool:
        """Create a face set; return False when it already exists.

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
        """Delete a face set if it has no faces; return False when it has any.

        A simultaneous addition either commits first and is seen here, or fails because the face set is gone: see
        `lock_face_set`.
        """
        assert set_id != DEFAULT_SET_ID

        def work(transaction: Transaction) -> bool:
            transaction.query(_LOCK, (set_id,))
            if transaction.query(_ANYBODY, (set_id,)):
                return False
            transaction.execute(_DELETE, (set_id,))
            forget_set(transaction, set_id)
            forget_people(transaction, set_id)
            return True

        return self._database.write(work)


def lock_face_set(transaction: Transaction, set_id: int) -> None:
    """Check that a face set exists, and keep it from being deleted until the transaction ends.

    Raises
    ------
    ServiceError
        1001 (404) when there is no such face set.
    """
    if set_id != DEFAULT_SET_ID and not transaction.query(_STAYS, (set_id,)):
        raise errors.unknown_face_set()
