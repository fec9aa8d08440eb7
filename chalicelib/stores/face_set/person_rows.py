"""Keeps one row per person: the faces of a face set with the same folded name.

Each transaction that adds, removes or renames faces updates the rows, so no request groups or counts faces.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeVar

from chalicelib.stores.database.base import Transaction
from chalicelib.stores.face_set.folded_name import fold, is_person, without_accents

PEOPLE_PER_STATEMENT = 500
T = TypeVar("T")

_FIND = """SELECT folded, id, faces, name FROM face_set_person
    WHERE set_id = ? AND folded IN ({marks}) FOR UPDATE"""
_INSERT = """INSERT INTO face_set_person (set_id, folded, plain, name, faces, cover, becomes)
    VALUES (?, ?, ?, ?, ?, 0, ?)"""
_UPDATE = """UPDATE face_set_person SET faces = CASE id {cases} END, name = CASE id {cases} END
    WHERE id IN ({marks})"""
_DELETE = "DELETE FROM face_set_person WHERE id IN ({marks})"
_LINK = "INSERT INTO face_set_person_face (face_id, person_id) VALUES (?, ?)"
_UNLINK = "DELETE FROM face_set_person_face WHERE face_id IN ({marks})"
_FORGET_SET = "DELETE FROM face_set_person WHERE set_id = ?"


class Named(NamedTuple):
    """A face that was added under a name, or has got a new one."""

    face_id: int
    set_id: int
    name: str


class Unnamed(NamedTuple):
    """A face that was removed or has lost its name, by its previous folded name."""

    face_id: int
    set_id: int
    folded: bytes


def count_named(transaction: Transaction, named: Sequence[Named], unnamed: Sequence[Unnamed] = ()) -> None:
    """Move faces to the people of their new names, and count them. Call this once the log is locked.

    A person without faces loses their row; a new person gets one. The last spelling of a person's name is kept.
    """
    for ids in _chunks([face.face_id for face in unnamed]):
        transaction.execute(_UNLINK.format(marks=_marks(ids)), ids)
    for set_id in sorted({face.set_id for face in named} | {face.set_id for face in unnamed}):
        gained: dict[bytes, list[Named]] = defaultdict(list)
        for face in named:
            if face.set_id == set_id:
                gained[fold(face.name)].append(face)
        lost = Counter(face.folded for face in unnamed if face.set_id == set_id)
        for people in _chunks([folded for folded in dict.fromkeys((*gained, *lost)) if is_person(folded)]):
            _change(transaction, set_id, {one: gained.get(one, []) for one in people}, lost)


def insert_people(transaction: Transaction, set_id: int, people: Iterable[tuple[bytes, str, int]]) -> None:
    """Insert people who have no row; each is a folded name, a name and a number of faces."""
    rows = [(set_id, folded, without_accents(name.strip()), name, faces, b"") for folded, name, faces in people]
    if rows:
        transaction.execute_many(_INSERT, rows)


def forget_people(transaction: Transaction, set_id: int) -> None:
    transaction.execute(_FORGET_SET, (set_id,))


def _change(
    transaction: Transaction, set_id: int, gained: Mapping[bytes, Sequence[Named]], lost: Mapping[bytes, int]
) -> None:
    """Change the faces of some people, who are the keys of `gained`."""
    there = _find(transaction, set_id, gained)
    counted = [
        (person_id, faces + len(gained[one]) - lost.get(one, 0), gained[one][-1].name if gained[one] else name)
        for one, (person_id, faces, name) in there.items()
    ]
    _update(transaction, [row for row in counted if row[1] > 0])
    if gone := [person_id for person_id, faces, _ in counted if faces <= 0]:
        transaction.execute(_DELETE.format(marks=_marks(gone)), gone)
    new = [one for one, faces in gained.items() if faces and one not in there]
    if new:
        insert_people(transaction, set_id, [(one, gained[one][-1].name, len(gained[one])) for one in new])
        there |= _find(transaction, set_id, new)
    if links := [(face.face_id, there[one][0]) for one, faces in gained.items() for face in faces]:
        transaction.execute_many(_LINK, links)


def _find(transaction: Transaction, set_id: int, people: Collection[bytes]) -> dict[bytes, tuple[int, int, str]]:
    """Return the id, the number of faces and the name of the people who have a row."""
    rows = transaction.query(_FIND.format(marks=_marks(people)), (set_id, *people))
    return {bytes(folded): (person_id, faces, name) for folded, person_id, faces, name in rows}


def _update(transaction: Transaction, rows: Sequence[tuple[int, int, str]]) -> None:
    if not rows:
        return
    faces = chain.from_iterable((person_id, count) for person_id, count, _ in rows)
    names = chain.from_iterable((person_id, name) for person_id, _, name in rows)
    statement = _UPDATE.format(cases=" ".join(["WHEN ? THEN ?"] * len(rows)), marks=_marks(rows))
    transaction.execute(statement, [*faces, *names, *(person_id for person_id, _, _ in rows)])


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), PEOPLE_PER_STATEMENT):
        yield values[start : start + PEOPLE_PER_STATEMENT]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
