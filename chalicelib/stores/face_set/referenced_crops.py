"""Lists the crops that the rows of the face set refer to."""

from __future__ import annotations

from collections.abc import Sequence

from chalicelib.stores.database.base import Database

# Rows read per statement: far below the read timeout and a megabyte.
IDS_PER_RANGE = 8_192
MAX_IDS_PER_STATEMENT = 500

_HIGHEST_ID = "SELECT COALESCE(MAX(id), 0) FROM face_set"
_NAMED = "SELECT id, crop FROM face_set WHERE id >= ? AND id < ?"
_PRESENT = "SELECT COUNT(*) FROM face_set WHERE id IN ({marks})"


class ReferencedCrops:
    """The face set's crops by ranges of ids, as nothing else needs an index on crop names.

    Every method raises ServiceError as `Database.read` does.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def ranges(self) -> list[tuple[int, int]]:
        """Return ranges of ids that cover all present faces; each range excludes its end."""
        highest = int(self._database.read(_HIGHEST_ID)[0][0])
        return [(first, first + IDS_PER_RANGE) for first in range(0, highest + 1, IDS_PER_RANGE)]

    def within(self, ids: tuple[int, int]) -> list[tuple[int, str]]:
        """Return the id and the crop name of every face in a range of ids."""
        return [(row[0], row[1]) for row in self._database.read(_NAMED, ids)]

    def count(self, ids: Sequence[int]) -> int:
        """Return how many of the given ids are in the face set."""
        present = 0
        for start in range(0, len(ids), MAX_IDS_PER_STATEMENT):
            chunk = ids[start : start + MAX_IDS_PER_STATEMENT]
            present += self._database.read(_PRESENT.format(marks=", ".join("?" * len(chunk))), chunk)[0][0]
        return present
