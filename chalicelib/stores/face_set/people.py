"""Lists, renames and merges people: the faces of a face set with the same folded name."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib import errors
from chalicelib.stores.database.base import Database, Transaction
from chalicelib.stores.face_set.change_log import lock_log
from chalicelib.stores.face_set.exported_faces import LARGEST_ID
from chalicelib.stores.face_set.folded_name import fold, is_person, without_accents
from chalicelib.stores.face_set.person_rows import Named, Unnamed, count_named

# Faces renamed in one transaction; all other writers wait until it ends.
FACES_PER_RENAMING = 1_000
# Names searched per statement: some hundredths of a second.
NAMES_PER_SCAN = 20_000

# Reads one row. A minimum would read all faces of the person, and so would MySQL in the order of the face ids alone.
_END_OF_FACES = """(SELECT theirs.face_id FROM face_set_person_face AS theirs FORCE INDEX (face_set_person_faces)
    WHERE theirs.person_id = person.id ORDER BY theirs.person_id {order}, theirs.face_id {order} LIMIT 1)"""
_OLDEST, _NEWEST = (_END_OF_FACES.format(order=order) for order in ("ASC", "DESC"))
_ENDS = f"person.id, person.name, person.faces, person.cover, {_OLDEST} AS oldest_id, {_NEWEST} AS newest_id"
# MySQL reads all faces if these subqueries join them directly.
_PAGE = """SELECT page.id, page.name, page.faces, COALESCE(chosen.face_token, oldest.face_token),
        oldest.created_at, newest.created_at
    FROM (SELECT {ends} FROM face_set_person AS person FORCE INDEX (face_set_person_by_set)
        WHERE person.set_id = ? AND person.id > ? AND person.id <= ? AND INSTR(person.plain, ?) > 0
        ORDER BY person.id LIMIT ?) AS page
    JOIN face_set AS oldest ON oldest.id = page.oldest_id
    JOIN face_set AS newest ON newest.id = page.newest_id
    LEFT JOIN face_set_person_face AS choice ON choice.face_id = page.cover AND choice.person_id = page.id
    LEFT JOIN face_set AS chosen ON chosen.id = choice.face_id"""
_SIZES = """SELECT id, faces FROM face_set_person FORCE INDEX (face_set_person_by_set)
    WHERE set_id = ? AND id > ? AND id <= ? AND INSTR(plain, ?) > 0 ORDER BY id LIMIT ?"""
_END_OF_SCAN = """SELECT id FROM face_set_person FORCE INDEX (face_set_person_by_set)
    WHERE set_id = ? AND id > ? ORDER BY id LIMIT 1 OFFSET ?"""
_IS_IN = "SELECT id FROM face_set_person WHERE set_id = ? AND id = ?"
_FIND = "SELECT id, name FROM face_set_person WHERE set_id = ? AND folded = ?"
_BOTH = "SELECT folded, id, faces, becomes FROM face_set_person WHERE set_id = ? AND folded IN (?, ?) FOR UPDATE"
_SOME_FACES = """SELECT theirs.face_id FROM face_set_person AS person
    JOIN face_set_person_face AS theirs FORCE INDEX (face_set_person_faces) ON theirs.person_id = person.id
    WHERE person.set_id = ? AND person.folded = ? AND theirs.face_id > ? ORDER BY theirs.face_id LIMIT ?"""
_STILL_THEIRS = "SELECT id FROM face_set WHERE id IN ({marks}) AND set_id = ? AND folded = ? ORDER BY id FOR UPDATE"
_FACE = "SELECT id, set_id, folded FROM face_set WHERE face_token = ?"

_RENAME_FACES = "UPDATE face_set SET face_name = ?, folded = ? WHERE id IN ({marks})"
_RESPELL = "UPDATE face_set_person SET name = ? WHERE id = ?"
_RENAME = "UPDATE face_set_person SET name = ?, folded = ?, plain = ?, becomes = ? WHERE id = ?"
_BECOMES = "UPDATE face_set_person SET becomes = ? WHERE id = ?"
_CHOOSE = "UPDATE face_set_person SET cover = ? WHERE set_id = ? AND folded = ?"


class Person(NamedTuple):
    """A person of a face set. `cover` is the token of the face that shows them.

    `first_added_at` and `last_added_at` are those of the first and the last of their faces in the order of the list of
    faces, in seconds since 1970.
    """

    id: int
    name: str
    faces: int
    cover: str
    first_added_at: int
    last_added_at: int


class FoundPerson(NamedTuple):
    """The row id of a person, and their name as it was last spelt."""

    id: int
    name: str


class Size(NamedTuple):
    """The row id of a person, and the number of their faces."""

    person_id: int
    faces: int


class Renamed(NamedTuple):
    """The number of faces renamed, the row id after which to continue, and whether these were the last."""

    faces: int
    after: int
    done: bool


class People:
    """The people of the face sets, in the order in which they got their first face.

    Every method raises ServiceError as `Database.read` and `Database.write` do.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, set_id: int, after: int, upto: int, count: int, part: str = "") -> list[Person]:
        """Return the first `count` people of a set with `after` < row id <= `upto`.

        Parameters
        ----------
        part
            Returns only people with names that contain this text, ignoring case and accents; empty returns all.
        """
        rows = self._database.read(_PAGE.format(ends=_ENDS), (set_id, after, upto, without_accents(part), count))
        return sorted(Person(*row) for row in rows)

    def sizes(self, set_id: int, after: int, upto: int, count: int, part: str = "") -> list[Size]:
        """Return the people that `page` does, each as their number of faces."""
        return [Size(*row) for row in self._database.read(_SIZES, (set_id, after, upto, without_accents(part), count))]

    def end_of_scan(self, set_id: int, after: int) -> int:
        """Return the row id up to which one statement may search names; LARGEST_ID if it may search all the rest."""
        rows = self._database.read(_END_OF_SCAN, (set_id, after, NAMES_PER_SCAN - 1))
        return int(rows[0][0]) if rows else LARGEST_ID

    def find(self, set_id: int, name: str) -> FoundPerson | None:
        """Return the person of a name, or None when no face of the set has it."""
        rows = self._database.read(_FIND, (set_id, fold(name)))
        return FoundPerson(*rows[0]) if rows else None

    def is_in(self, set_id: int, person_id: int) -> bool:
        """Return whether a person belongs to a face set."""
        return bool(self._database.read(_IS_IN, (set_id, person_id)))

    def rename_some(self, set_id: int, name: str, new_name: str, after: int, *, merge: bool) -> Renamed | None:
        """Rename the first FACES_PER_RENAMING faces of a person with row ids above `after`, in one transaction.

        Until all are renamed, the person's row says what the person becomes, so that a repeated request continues.

        Returns
        -------
        Renamed, or None
            None when no face of the set has the name.

        Raises
        ------
        ServiceError
            1001 when another person has the new name, unless `merge`.
        """
        source, target = fold(name), fold(new_name)

        def work(transaction: Transaction) -> Renamed | None:
            # As in an addition: faces first, then the log, then people. So no two transactions wait for each other.
            some = [row[0] for row in transaction.query(_SOME_FACES, (set_id, source, after, FACES_PER_RENAMING))]
            marks = ", ".join("?" * len(some))
            locked = transaction.query(_STILL_THEIRS.format(marks=marks), (*some, set_id, source)) if some else []
            ids = [row[0] for row in locked]
            lock_log(transaction)
            people = {bytes(folded): row for folded, *row in transaction.query(_BOTH, (set_id, source, target))}
            if source not in people:
                return None
            person_id, faces, becomes = people[source]
            if target in people and target != source and not merge and bytes(becomes) != target:
                raise errors.another_person()
            if ids:
                marks = ", ".join("?" * len(ids))
                transaction.execute(_RENAME_FACES.format(marks=marks), (new_name, target, *ids))
            whole = len(ids) == faces
            if target == source:
                transaction.execute(_RESPELL, (new_name, person_id))
            elif whole and target not in people and is_person(target):
                plain = without_accents(new_name.strip())
                transaction.execute(_RENAME, (new_name, target, plain, b"", person_id))
            else:
                transaction.execute(_BECOMES, (target, person_id))
                named = [Named(face_id, set_id, new_name) for face_id in ids]
                count_named(transaction, named, [Unnamed(face_id, set_id, source) for face_id in ids])
            if target == source:
                return Renamed(len(ids), some[-1] if some else after, len(some) < FACES_PER_RENAMING)
            return Renamed(len(ids), 0, whole)

        return self._database.write(work)

    def face_of(self, set_id: int, token: str, *names: str) -> int | None:
        """Return the row id of a person's face, given all names of the person; None when it is not theirs."""
        rows = self._database.read(_FACE, (token,))
        if not rows:
            raise errors.unknown_token()
        [(face_id, its_set, folded)] = rows
        return int(face_id) if its_set == set_id and bytes(folded) in map(fold, names) else None

    def choose_cover(self, set_id: int, name: str, face_id: int) -> None:
        """Show a person by a face. The choice lapses when the face is removed or renamed."""
        self._database.write(lambda transaction: transaction.execute(_CHOOSE, (face_id, set_id, fold(name))))
