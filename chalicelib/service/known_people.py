"""Lists, renames and merges the people of a face set, and finds faces by any part of a name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import NamedTuple

from chalicelib import errors
from chalicelib.service import cursors
from chalicelib.service.known_faces import Page, cursor_after
from chalicelib.stores.face_set.exported_faces import LARGEST_ID
from chalicelib.stores.face_set.face_listing import FaceListing, ListedFace
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.people import FoundPerson, People, Person

# Statements of one request that search names: together some 200,000 names in under a second.
MAX_SCANS = 10
# The time that one request spends renaming faces: about half of API Gateway's limit for an answer.
MAX_SECONDS = 15.0


class PeoplePage(NamedTuple):
    """A page of people, and the cursor of the next page; None on the last page."""

    people: list[Person]
    next_cursor: str | None


class Changed(NamedTuple):
    """The person's name, the number of faces renamed, and whether all faces of the person are renamed."""

    name: str
    faces: int
    done: bool


class KnownPeople:
    """Use cases that load no model.

    All faces with the same name in a face set are one person; case and outer white space do not count. Methods raise
    `ServiceError`: 1006 for a name that no face of the face set has, 1001 (404) for a face set that does not exist,
    1003 when a store fails.

    Parameters
    ----------
    clock
        Returns seconds from any starting point.
    """

    def __init__(
        self, people: People, listing: FaceListing, names: FaceSetNames, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._people = people
        self._listing = listing
        self._names = names
        self._clock = clock

    def page(self, face_set: str, after: int, limit: int, part: str = "") -> PeoplePage:
        """Return a set's people after a row id, in the order in which they got their first face.

        With a part of a name, a page ends early when too many other names had to be searched.
        """
        set_id = self._names.id_of(face_set)
        people: list[Person] = []
        searched = after
        for start, searched in self._scans(set_id, after, part):
            people += self._people.page(set_id, start, searched, limit + 1 - len(people), part)
            if len(people) > limit:
                return PeoplePage(people[:limit], cursors.encode(people[limit - 1].id))
        return PeoplePage(people, None if searched == LARGEST_ID else cursors.encode(searched))

    def faces(self, face_set: str, name: str, after: int, limit: int) -> Page:
        """Return a person's faces after a row id, oldest first."""
        person = self._find(self._names.id_of(face_set), name)
        faces = self._listing.page_of_people([person.id], after, limit + 1)
        return Page(faces[:limit], cursor_after(faces[limit - 1]) if len(faces) > limit else None)

    def faces_by_part(self, face_set: str, part: str, after: tuple[int, int], limit: int) -> Page:
        """Return the faces of all people whose names contain a text, person by person, as `page` lists them.

        Parameters
        ----------
        after
            The row ids of the person and the face after which the page starts.
        """
        set_id = self._names.id_of(face_set)
        person_id, face_id = after
        # The client may have changed the cursor to name a person of another face set.
        there = person_id and self._people.is_in(set_id, person_id)
        faces = self._listing.page_of_people([person_id], face_id, limit + 1) if there else []
        searched = person_id
        for start, searched in self._scans(set_id, person_id, part):
            faces += self._faces_in_scan(set_id, start, searched, limit + 1 - len(faces), part)
            if len(faces) > limit:
                return Page(faces[:limit], cursor_after(faces[limit - 1]))
        return Page(faces, None if searched == LARGEST_ID else cursors.encode(searched, LARGEST_ID))

    def change(self, face_set: str, name: str, new_name: str | None, *, merge: bool, cover: str | None) -> Changed:
        """Rename all faces of a person and choose the face that shows them; None changes nothing.

        Renames as many faces as MAX_SECONDS allow; the next call continues.

        Raises
        ------
        ServiceError
            1001 when another person has the new name, unless `merge`, or when the cover is not the person's face.
        """
        set_id = self._names.id_of(face_set)
        shown = new_name or self._find(set_id, name).name
        cover_id = None if cover is None else self._people.face_of(set_id, cover, name, shown)
        if cover is not None and cover_id is None:
            raise errors.not_their_face()
        faces, done = (0, True) if new_name is None else self._rename(set_id, name, new_name, merge=merge)
        if cover_id is not None:
            self._people.choose_cover(set_id, shown, cover_id)
        return Changed(shown, faces, done)

    def _rename(self, set_id: int, name: str, new_name: str, *, merge: bool) -> tuple[int, bool]:
        """Return the number of faces renamed, and whether these were the last."""
        end = self._clock() + MAX_SECONDS
        after = faces = 0
        while True:
            some = self._people.rename_some(set_id, name, new_name, after, merge=merge)
            if some is None:
                if faces:  # a simultaneous request has renamed or removed the rest
                    return faces, True
                raise errors.unknown_person()
            faces, after = faces + some.faces, some.after
            if some.done or self._clock() > end:
                return faces, some.done

    def _find(self, set_id: int, name: str) -> FoundPerson:
        person = self._people.find(set_id, name)
        if person is None:
            raise errors.unknown_person()
        return person

    def _scans(self, set_id: int, after: int, part: str) -> Iterator[tuple[int, int]]:
        """Yield ranges of row ids whose names one statement may search, at most MAX_SCANS; all without a part."""
        if not part:
            yield after, LARGEST_ID
            return
        for _ in range(MAX_SCANS):
            end = self._people.end_of_scan(set_id, after)
            yield after, end
            if end == LARGEST_ID:
                return
            after = end

    def _faces_in_scan(self, set_id: int, start: int, end: int, count: int, part: str) -> list[ListedFace]:
        faces: list[ListedFace] = []
        while len(faces) < count:
            room = count - len(faces)
            sizes = self._people.sizes(set_id, start, end, room, part)
            if not sizes:
                break
            sums = accumulate(size.faces for size in sizes)
            fitting = [size.person_id for size, faces_so_far in zip(sizes, sums, strict=True) if faces_so_far <= room]
            # A person with more faces than there is room for is read alone: see `page_of_people`.
            some = fitting or [sizes[0].person_id]
            faces += self._listing.page_of_people(some, 0, room)
            start = some[-1]
        return faces
