"""Lists known faces by face set, in the order they were added, optionally by name prefix."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.folded_name import beginning_with

_FACE = """SELECT face.id, face.face_token, face.face_name, named.name, face.created_at, face.crop
    FROM face_set AS face JOIN face_set_name AS named ON named.id = face.set_id"""
_GET = f"{_FACE} WHERE face.face_token = ?"
_PAGE = f"{_FACE} WHERE face.set_id = ? AND face.id > ? ORDER BY face.id LIMIT ?"
# Reads only the index of names. The index is forced, as a database might instead scan all faces in id order until it
# has found enough matches.
_IDS_OF_NAME = """SELECT id FROM face_set FORCE INDEX (face_set_by_name)
    WHERE set_id = ? AND id > ? AND folded_name >= ? AND folded_name < ? ORDER BY id LIMIT ?"""
_PAGE_OF_NAME = f"{_FACE} JOIN ({_IDS_OF_NAME}) AS page ON page.id = face.id ORDER BY face.id"


class ListedFace(NamedTuple):
    """A face of a face set. `added_at` is in seconds since 1970; `crop` is the name of its permanent crop."""

    id: int
    token: str
    name: str
    face_set: str
    added_at: int
    crop: str


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

    def get(self, token: str) -> ListedFace | None:
        rows = self._database.read(_GET, (token,))
        return ListedFace(*rows[0]) if rows else None
