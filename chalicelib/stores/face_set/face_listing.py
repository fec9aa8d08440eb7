"""Lists known faces by face set, in the order they were added, by name prefix, or person by person."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.faces_by_token import MAX_TOKENS_PER_STATEMENT
from chalicelib.stores.face_set.folded_name import beginning_with

_FACE = """SELECT face.id, face.face_token, face.face_name, named.name, face.created_at, face.crop
    FROM face_set AS face JOIN face_set_name AS named ON named.id = face.set_id"""
_GET = f"{_FACE} WHERE face.face_token = ?"
_SETS = """SELECT face.face_token, named.name
    FROM face_set AS face JOIN face_set_name AS named ON named.id = face.set_id WHERE face.face_token IN ({marks})"""
_PAGE = f"{_FACE} WHERE face.set_id = ? AND face.id > ? ORDER BY face.id LIMIT ?"
# Reads only the index of names. The index is forced, as a database might instead scan all faces in id order until it
# has found enough matches.
_IDS_OF_NAME = """SELECT id FROM face_set FORCE INDEX (face_set_by_name)
    WHERE set_id = ? AND id > ? AND folded >= ? AND folded < ? ORDER BY id LIMIT ?"""
_PAGE_OF_NAME = f"{_FACE} JOIN ({_IDS_OF_NAME}) AS page ON page.id = face.id ORDER BY face.id"
_FACE_OF_PERSON = """SELECT face.id, face.face_token, face.face_name, named.name, face.created_at, face.crop,
        page.person_id
    FROM face_set AS face JOIN face_set_name AS named ON named.id = face.set_id"""
_IDS_OF_PEOPLE = """SELECT face_id, person_id FROM face_set_person_face FORCE INDEX (face_set_person_faces)
    WHERE person_id IN ({marks}) AND face_id > ? ORDER BY person_id, face_id LIMIT ?"""
_PAGE_OF_PEOPLE = f"{_FACE_OF_PERSON} JOIN ({_IDS_OF_PEOPLE}) AS page ON page.face_id = face.id"


class ListedFace(NamedTuple):
    """A face of a face set. `added_at` is in seconds since 1970; `crop` is the name of its permanent crop.

    `person_id` is the row id of its person, in lists by person.
    """

    id: int
    token: str
    name: str
    face_set: str
    added_at: int
    crop: str
    person_id: int = 0


class FaceListing:
    """Reads lists of known faces. Every method raises ServiceError as `Database.read` does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(self, set_id: int, after: int, count: int, beginning: str = "") -> list[ListedFace]:
        """Return the first `count` faces of a set with ids above `after`, in the order they were added.

        Parameters
        ----------
        beginning
            Returns only faces with names that start with this text, ignoring case; empty returns all.
        """
        if beginning:
            rows = self._database.read(_PAGE_OF_NAME, (set_id, after, *beginning_with(beginning), count))
        else:
            rows = self._database.read(_PAGE, (set_id, after, count))
        return [ListedFace(*row) for row in rows]

    def page_of_people(self, people: Sequence[int], after: int, count: int) -> list[ListedFace]:
        """Return the first `count` faces of people with face ids above `after`: person by person, oldest first.

        Pass one person, or people with few faces together, because the faces of several people are sorted.
        """
        statement = _PAGE_OF_PEOPLE.format(marks=", ".join("?" * len(people)))
        faces = [ListedFace(*row) for row in self._database.read(statement, (*people, after, count))]
        return sorted(faces, key=lambda face: (face.person_id, face.id))

    def sets_of(self, tokens: Sequence[str]) -> dict[str, str]:
        """Return the names of the face sets of the tokens that are in one, by token."""
        found: dict[str, str] = {}
        for start in range(0, len(tokens), MAX_TOKENS_PER_STATEMENT):
            chunk = tokens[start : start + MAX_TOKENS_PER_STATEMENT]
            found |= dict(self._database.read(_SETS.format(marks=", ".join("?" * len(chunk))), list(chunk)))
        return found

    def get(self, token: str) -> ListedFace | None:
        rows = self._database.read(_GET, (token,))
        return ListedFace(*rows[0]) if rows else None
