"""Stores the face set: the known faces, and a log of changes that keeps copies up to date.

Simultaneous transactions make ids visible out of order, so copies follow the log and not the ids.
A face has one vector for each model that embedded it; searches use the vectors of the active model.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib import errors
from chalicelib.faces import Embedding, KnownFace
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.embedding_bytes import from_bytes, to_bytes
from chalicelib.stores.face_set.active_model import READ_STATE, State, only_row
from chalicelib.stores.face_set.change_log import Change, lock_log, log_additions, log_removals, read_changes
from chalicelib.stores.face_set.face_counts import TOTAL, count_added, count_removed
from chalicelib.stores.face_set.face_set_names import lock_face_set
from chalicelib.stores.face_set.faces_by_token import faces_by_token
from chalicelib.stores.face_set.folded_name import fold
from chalicelib.stores.face_set.person_rows import Named, Unnamed, count_named

MAX_IDS_PER_STATEMENT = 500
# Stays below the limit on a statement's parameters, and holds the counter's lock only briefly.
MAX_FACES_PER_ADDITION = 1_000
MAX_CHANGES_PER_POLL = 10_000
MAX_CHANGES_PER_PRUNING = 10_000

_INSERT = """INSERT INTO face_set (face_token, face_name, folded, crop, created_at, set_id)
    VALUES (?, ?, ?, ?, ?, ?)"""
_INSERT_VECTOR = "INSERT INTO face_set_embedding (face_id, embedding_id, embedding) VALUES (?, ?, ?)"
_RENAME = "UPDATE face_set SET face_name = ?, folded = ? WHERE face_token = ?"
_FIND = "SELECT face_token, id, set_id, crop, folded FROM face_set WHERE face_token IN ({marks}) FOR UPDATE"
_DELETE = "DELETE FROM face_set WHERE id IN ({marks})"
_DELETE_VECTORS = "DELETE FROM face_set_embedding WHERE face_id IN ({marks})"

_SET_OF = "SELECT set_id FROM face_set WHERE face_token = ?"
_FETCH = """SELECT face.id, face.face_token, face.face_name, vector.embedding
    FROM face_set AS face
    JOIN face_set_embedding AS vector ON vector.face_id = face.id AND vector.embedding_id = ?
    WHERE face.id IN ({marks})"""
_VECTORS = """SELECT face.id, vector.embedding_id, vector.embedding, face.set_id
    FROM face_set AS face JOIN face_set_embedding AS vector ON vector.face_id = face.id
    WHERE face.id >= ? AND face.id < ?"""
# The first id of every changed range.
_TOUCHED = "SELECT DISTINCT face_id - face_id % ? FROM face_set_change WHERE version > ? AND version <= ?"
_PRUNED_VERSION = "SELECT pruned_version FROM face_set_version WHERE id = 1"
_PRUNE = "UPDATE face_set_version SET pruned_version = ? WHERE id = 1 AND pruned_version < ?"
_DELETE_CHANGES = "DELETE FROM face_set_change WHERE version > ? AND version <= ?"


class FaceRow(NamedTuple):
    id: int
    token: str
    name: str
    embedding: Embedding


class VectorRow(NamedTuple):
    id: int
    embedding_id: str
    embedding: Embedding
    set_id: int


class PlacedFace(NamedTuple):
    """The row id, face set, crop and folded name of a known face."""

    id: int
    set_id: int
    crop: str
    folded: bytes


class FaceSet:
    """The known faces.

    `faces.is_token` must accept every token. Every method raises ServiceError as `Database.read` and `Database.write`
    do. Unless they say otherwise, methods that take a face or an embedding id raise ModelChangedError when another
    model is active.

    Parameters
    ----------
    clock
        Returns the seconds since 1970.
    changed
        Called after every transaction that added or removed faces; must not raise.
    changing
        Called before every transaction that may add or remove faces. An error prevents the change.
    """

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = time.time,
        changed: Callable[[], None] = lambda: None,
        changing: Callable[[], None] = lambda: None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._changed = changed
        self.announce = changing
        """Says that a change follows. Methods that change faces call it; call it before you store a face's crop."""

    def add(self, face: KnownFace) -> bool:
        """Add a face and return True; if its token already exists, only rename that face and return False.

        Raises
        ------
        ServiceError
            1001 when the token is in another face set; 1001 (404) when the face set does not exist.
        """
        row = _row(face, int(self._clock()))

        def work(transaction: Transaction) -> bool:
            lock_face_set(transaction, face.set_id)
            face_id = transaction.insert(_INSERT, row)
            if face_id is None:
                there = _find(transaction, [face.token])
                _rename(transaction, face, there)
                lock_log(transaction)
                count_named(transaction, [Named(there[face.token].id, face.set_id, face.name)], _unnamed(there))
                return False
            transaction.execute(_INSERT_VECTOR, (face_id, face.embedding_id, to_bytes(face.embedding)))
            log_additions(transaction, [face_id], face.embedding_id)
            count_added(transaction, [face.set_id])
            count_named(transaction, [Named(face_id, face.set_id, face.name)])
            return True

        self.announce()
        added = self._database.write(work)
        if added:
            self._changed()
        return added

    def add_many(self, faces: Sequence[KnownFace], added_at: Sequence[int] | None = None) -> int:
        """Add faces of one model with distinct tokens in one transaction; return the number of new faces.

        Existing faces are renamed. Raises what `add` does. Takes at most MAX_FACES_PER_ADDITION faces. The counter,
        which all writers wait for, is raised once: this adds thousands of faces a second, one by one some hundreds.

        Parameters
        ----------
        added_at
            When each face was added, in seconds since 1970; defaults to now.
        """
        assert len(faces) <= MAX_FACES_PER_ADDITION
        if not faces:
            return 0
        embedding_id = faces[0].embedding_id
        assert all(face.embedding_id == embedding_id for face in faces)
        times = [int(self._clock())] * len(faces) if added_at is None else added_at
        at = {face.token: time for face, time in zip(faces, times, strict=True)}

        def work(transaction: Transaction) -> int:
            for set_id in sorted({face.set_id for face in faces}):
                lock_face_set(transaction, set_id)
            there = _find(transaction, [face.token for face in faces])
            for face in faces:
                if face.token in there:
                    _rename(transaction, face, there)
            new = [face for face in faces if face.token not in there]
            placed = {**there, **(insert(transaction, new) if new else {})}
            if not new:
                lock_log(transaction)
            named = [Named(placed[face.token].id, face.set_id, face.name) for face in faces]
            count_named(transaction, named, _unnamed(there))
            return len(new)

        def insert(transaction: Transaction, new: Sequence[KnownFace]) -> dict[str, PlacedFace]:
            transaction.execute_many(_INSERT, [_row(face, at[face.token]) for face in new])
            placed = _find(transaction, [face.token for face in new])
            transaction.execute_many(
                _INSERT_VECTOR, [(placed[face.token].id, embedding_id, to_bytes(face.embedding)) for face in new]
            )
            log_additions(transaction, [face.id for face in placed.values()], embedding_id)
            count_added(transaction, [face.set_id for face in new])
            return placed

        self.announce()
        added = self._database.write(work)
        if added:
            self._changed()
        return added

    def rename(self, token: str, name: str) -> bool:
        """Rename a face; return False when there is no such token. The log omits renames, as copies hold no names."""

        def work(transaction: Transaction) -> bool:
            there = _find(transaction, [token])
            if there:
                transaction.execute(_RENAME, (name, fold(name), token))
                lock_log(transaction)
                count_named(transaction, [Named(there[token].id, there[token].set_id, name)], _unnamed(there))
            return bool(there)

        return self._database.write(work)

    def remove(self, token: str) -> str | None:
        """Remove a face and all its vectors; return the name of its crop, or None when there is no such face."""
        removed = self.remove_many([token])
        return removed[0] if removed else None

    def remove_many(self, tokens: Sequence[str], folded: bytes | None = None) -> list[str]:
        """Remove faces in one transaction, as `remove` does; return the crop names of the faces removed.

        With `folded`, faces that have another folded name by now stay.
        """

        def work(transaction: Transaction) -> list[str]:
            found = _find(transaction, tokens)
            if folded is not None:
                found = {token: face for token, face in found.items() if face.folded == folded}
            if found:
                ids = sorted(face.id for face in found.values())
                marks = ", ".join("?" * len(ids))
                transaction.execute(_DELETE.format(marks=marks), ids)
                transaction.execute(_DELETE_VECTORS.format(marks=marks), ids)
                log_removals(transaction, ids)
                count_removed(transaction, [face.set_id for face in found.values()])
                count_named(transaction, [], _unnamed(found))
            return [face.crop for face in found.values()]

        self.announce()
        crops = self._database.write(work)
        if crops:
            self._changed()
        return crops

    def set_of(self, token: str) -> int | None:
        """Return the number of a face's face set, or None when there is no such face."""
        rows = self._database.read(_SET_OF, (token,))
        return int(rows[0][0]) if rows else None

    def get(self, token: str, embedding_id: str) -> KnownFace | None:
        """Return a face, or None when there is no such face or it has no vector under this model."""
        return self.get_many([token], embedding_id).get(token)

    def get_many(self, tokens: Sequence[str], embedding_id: str) -> dict[str, KnownFace]:
        """Return the faces that have a vector under this model, by token; one statement reads some hundred."""
        return faces_by_token(self._database, tokens, embedding_id)

    def count(self) -> int:
        """Return the number of faces in all face sets, without reading their rows."""
        return int(self._database.read(TOTAL)[0][0])

    def state(self) -> State:
        """Return the face set's state, with one statement that reads one row."""
        return State(*only_row(self._database.read(READ_STATE)))

    def version(self) -> int:
        """Return the number of changes ever logged."""
        return self.state().version

    def fetch(self, ids: Sequence[int] | NDArray[np.int64], embedding_id: str) -> list[FaceRow]:
        """Return the rows of the given ids that have a vector under this model, active or not, in no order."""
        found: list[FaceRow] = []
        for start in range(0, len(ids), MAX_IDS_PER_STATEMENT):
            chunk = [int(face_id) for face_id in ids[start : start + MAX_IDS_PER_STATEMENT]]
            rows = self._database.read(_FETCH.format(marks=", ".join("?" * len(chunk))), (embedding_id, *chunk))
            found += [FaceRow(face_id, token, name, from_bytes(data)) for face_id, token, name, data in rows]
        return found

    def vectors(self, first_id: int, end_id: int) -> list[VectorRow]:
        """Return the vectors, under all models, of faces with `first_id` <= id < `end_id`."""
        return [
            VectorRow(face_id, embedding_id, from_bytes(data), set_id)
            for face_id, embedding_id, data, set_id in self._database.read(_VECTORS, (first_id, end_id))
        ]

    def touched(self, after: int, upto: int, size: int) -> list[int]:
        """Return the sorted numbers of the ranges of `size` ids that changed in the versions (after, upto]."""
        rows = self._database.read(_TOUCHED, (size, after, upto))
        return sorted(first_id // size for (first_id,) in rows)

    def prune(self, version: int) -> None:
        """Delete the log up to a version, some thousands of changes per transaction.

        Copies that have not read these changes must be rebuilt.
        """
        pruned = int(self._database.read(_PRUNED_VERSION)[0][0])
        while pruned < version:
            upto = min(pruned + MAX_CHANGES_PER_PRUNING, version)
            self._database.write(partial(_prune, after=pruned, upto=upto))
            pruned = upto

    def changes_since(self, version: int, embedding_id: str, limit: int = MAX_CHANGES_PER_POLL) -> list[Change] | None:
        """Return the changes after `version`, oldest first and without gaps, with one statement.

        The embeddings are those under the given model, active or not.

        Returns
        -------
        list of Change, or None
            At most `limit` changes; exactly `limit` means that more may follow. None when the log has no complete
            history since `version`: it was pruned, or the database was replaced. The caller must then read the whole
            face set again.
        """
        return read_changes(self._database, version, embedding_id, limit)


def _prune(transaction: Transaction, *, after: int, upto: int) -> None:
    transaction.execute(_PRUNE, (upto, upto))
    transaction.execute(_DELETE_CHANGES, (after, upto))


def _row(face: KnownFace, now: int) -> tuple[str, str, bytes, str, int, int]:
    return face.token, face.name, fold(face.name), face.crop, now, face.set_id


def _find(transaction: Transaction, tokens: Sequence[str]) -> dict[str, PlacedFace]:
    """Return the existing faces by token, and lock their rows."""
    rows = transaction.query(_FIND.format(marks=", ".join("?" * len(tokens))), list(tokens))
    return {token: PlacedFace(face_id, set_id, crop, bytes(folded)) for token, face_id, set_id, crop, folded in rows}


def _unnamed(faces: Mapping[str, PlacedFace]) -> list[Unnamed]:
    return [Unnamed(face.id, face.set_id, face.folded) for face in faces.values()]


def _rename(transaction: Transaction, face: KnownFace, there: Mapping[str, PlacedFace]) -> None:
    if there[face.token].set_id != face.set_id:
        raise errors.in_another_face_set()
    transaction.execute(_RENAME, (face.name, fold(face.name), face.token))
