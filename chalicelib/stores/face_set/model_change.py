"""Moves the face set to another model: adds vectors beside the old ones, then switches all faces at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from chalicelib.faces import Embedding
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.embedding_bytes import to_bytes
from chalicelib.stores.face_set.active_model import READ_STATE, State, only_row
from chalicelib.stores.face_set.change_log import Operation, log_additions, log_change
from chalicelib.stores.face_set.segments import SEGMENT_IDS

# Ids per statement: few enough to stay far below the read timeout, and to keep transactions that erase short.
IDS_PER_RANGE = SEGMENT_IDS

_HIGHEST_ID = "SELECT COALESCE(MAX(id), 0) FROM face_set"
_LACKING = """FROM face_set AS face
    LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id AND vector.embedding_id = ?
    WHERE face.id >= ? AND face.id < ? AND vector.face_id IS NULL"""
_LACKING_SINCE = """SELECT DISTINCT face.id, face.face_token, face.crop
    FROM face_set_change AS log
    JOIN face_set AS face ON face.id = log.face_id
    LEFT JOIN face_set_embedding AS vector ON vector.face_id = face.id AND vector.embedding_id = ?
    WHERE log.version > ? AND vector.face_id IS NULL"""
_PRUNED_VERSION = "SELECT pruned_version FROM face_set_version WHERE id = 1"

_PRESENT = "SELECT id FROM face_set WHERE id IN ({marks})"
_THERE = "SELECT face_id FROM face_set_embedding WHERE embedding_id = ? AND face_id IN ({marks}) FOR UPDATE"
_INSERT = "INSERT INTO face_set_embedding (face_id, embedding_id, embedding) VALUES (?, ?, ?)"

_LOCK_COUNTER = "SELECT version FROM face_set_version WHERE id = 1 FOR UPDATE"
_SWITCH = "UPDATE face_set_model SET embedding_id = ?, switches = switches + 1 WHERE id = 1"
_SET_SWITCHES = "UPDATE face_set_model SET switches = ? WHERE id = 1"
_ANYBODY = "SELECT id FROM face_set LIMIT 1"

_COUNT_DISCARD = "UPDATE face_set_model SET discards = discards + 1 WHERE id = 1"
_DISCARD = """DELETE FROM face_set_embedding WHERE face_id >= ? AND face_id < ?
    AND embedding_id <> (SELECT embedding_id FROM face_set_model WHERE id = 1)"""


class Lacking(NamedTuple):
    """A face that has no vector under some model."""

    id: int
    token: str
    crop: str


class ModelChange:
    """Adds and erases vectors of inactive models, and switches the active model.

    Every method raises ServiceError as `Database.read` and `Database.write` do.

    Parameters
    ----------
    changing
        Called before every transaction that may log a change. An error prevents the change.
    """

    def __init__(self, database: Database, changing: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._changing = changing

    def ranges(self) -> list[tuple[int, int]]:
        """Return ranges of ids that cover all present faces; each range excludes its end."""
        highest = int(self._database.read(_HIGHEST_ID)[0][0])
        return [(first, first + IDS_PER_RANGE) for first in range(0, highest + 1, IDS_PER_RANGE)]

    def count_lacking(self, embedding_id: str, first_id: int, end_id: int) -> int:
        rows = self._database.read(f"SELECT COUNT(*) {_LACKING}", (embedding_id, first_id, end_id))
        return int(rows[0][0])

    def lacking(self, embedding_id: str, first_id: int, end_id: int) -> list[Lacking]:
        """Return the faces in a range of ids that have no vector under this model, sorted by id."""
        rows = self._database.read(
            f"SELECT face.id, face.face_token, face.crop {_LACKING} ORDER BY face.id", (embedding_id, first_id, end_id)
        )
        return [Lacking(*row) for row in rows]

    def present(self, face_ids: Collection[int]) -> set[int]:
        """Return the given ids that are in the face set."""
        if not face_ids:
            return set()
        marks = ", ".join("?" * len(face_ids))
        return {row[0] for row in self._database.read(_PRESENT.format(marks=marks), list(face_ids))}

    def lacking_since(self, embedding_id: str, seen: State) -> list[Lacking] | None:
        """Return the faces added after `seen` that have no vector under this model.

        At `seen`, all faces must have had a vector. Returns None when the log was pruned or vectors were discarded
        since `seen`; all faces must then be checked again.
        """
        found = self._database.read(_LACKING_SINCE, (embedding_id, seen.version))
        # Read afterwards: changes that are not pruned now were not pruned before either.
        pruned = only_row(self._database.read(_PRUNED_VERSION))[0]
        present = State(*only_row(self._database.read(READ_STATE)))
        if pruned > seen.version or present.discards != seen.discards:
            return None
        return [Lacking(*row) for row in found]

    def add_embeddings(self, embedding_id: str, embeddings: Mapping[int, Embedding]) -> int:
        """Add vectors under a model to faces, by id, and log the additions, in one transaction.

        Skips faces that were removed meanwhile and faces that already have a vector under this model.

        Returns
        -------
        int
            The number of vectors added.
        """
        marks = ", ".join("?" * len(embeddings))

        def work(transaction: Transaction) -> int:
            # From here on, other transactions that remove or embed these faces wait.
            present = {
                face_id
                for (face_id,) in transaction.query(f"{_PRESENT} FOR UPDATE".format(marks=marks), list(embeddings))
            }
            done = {row[0] for row in transaction.query(_THERE.format(marks=marks), (embedding_id, *embeddings))}
            chosen = sorted(present - done)
            if chosen:
                transaction.execute_many(
                    _INSERT, [(face_id, embedding_id, to_bytes(embeddings[face_id])) for face_id in chosen]
                )
                log_additions(transaction, chosen)
            return len(chosen)

        if not embeddings:
            return 0
        self._changing()
        return self._database.write(work)

    def switch(self, embedding_id: str, seen: State, without: Collection[int] = ()) -> bool:
        """Switch the face set to a model unless a face has no vector under it; return whether the model is active.

        Additions wait meanwhile. Earlier additions are checked; later additions under the old model are refused. So no
        face can be missed between the check and the switch.

        Parameters
        ----------
        seen
            A state of the face set. All faces were checked after it and had vectors.
        without
            The ids of faces that may lack a vector.
        """

        def work(transaction: Transaction) -> bool:
            transaction.query(_LOCK_COUNTER)
            present = State(*only_row(transaction.query(READ_STATE)))
            if present.embedding_id == embedding_id:
                return True
            pruned = only_row(transaction.query(_PRUNED_VERSION))[0]
            if pruned > seen.version or present.discards != seen.discards:
                return False
            lacking = {row[0] for row in transaction.query(_LACKING_SINCE, (embedding_id, seen.version))}
            if lacking - set(without):
                return False
            transaction.execute(_SWITCH, (embedding_id,))
            return True

        return self._database.write(work)

    def adopt(self, embedding_id: str) -> str:
        """Switch an empty face set to a model; return the embedding id that is then active."""

        def work(transaction: Transaction) -> str:
            transaction.query(_LOCK_COUNTER)
            active = State(*only_row(transaction.query(READ_STATE))).embedding_id
            if active == embedding_id or transaction.query(_ANYBODY):
                return active
            transaction.execute(_SWITCH, (embedding_id,))
            return embedding_id

        return self._database.write(work)

    def disown_copies(self, number: int) -> None:
        """Invalidate every copy of the face set, as its rows no longer match what the copies were made from.

        Parameters
        ----------
        number
            The new number of switches. No other history of this face set may have used it: for example, pass the
            seconds since 1970.
        """
        self._database.write(lambda transaction: transaction.execute(_SET_SWITCHES, (number,)))

    def discard(self, first_id: int, end_id: int) -> int:
        """Erase the vectors of inactive models of the faces in a range of ids; return how many were erased.

        The next compaction removes their codes from the segments.
        """

        def work(transaction: Transaction) -> int:
            transaction.query(_LOCK_COUNTER)  # prevents a switch of the model until the commit
            erased = transaction.execute(_DISCARD, (first_id, end_id))
            if erased:
                transaction.execute(_COUNT_DISCARD)
                log_change(transaction, Operation.DISCARD, first_id)
            return erased

        self._changing()
        return self._database.write(work)
