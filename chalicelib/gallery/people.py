"""Groups matches by person: faces with the same folded name in a face set are one person."""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass

from chalicelib.faces import Match, SearchResult
from chalicelib.stores.face_set.folded_name import fold, is_person


@dataclass(slots=True)
class _Person:
    """`place` ranks a person among all people: the nearest face's distance, then its row id."""

    place: tuple[float, int]
    nearest: Match
    faces: int


class People:
    """Groups matches, added in any order. Each face with the default name counts as a separate person."""

    def __init__(self) -> None:
        self._people: dict[bytes | int, _Person] = {}

    def add(self, row_id: int, match: Match) -> None:
        folded = fold(match.name)
        key = folded if is_person(folded) else row_id
        place = match.distance, row_id
        person = self._people.get(key)
        if person is None:
            self._people[key] = _Person(place, match, 1)
            return
        person.faces += 1
        if place < person.place:
            person.place, person.nearest = place, match

    def reach(self, count: int) -> float:
        """Return the distance of the nearest person number `count`; infinite if there are fewer people."""
        if len(self._people) < count:
            return math.inf
        return heapq.nsmallest(count, (person.place[0] for person in self._people.values()))[-1]

    def nearest(self, limit: int) -> SearchResult:
        """Return the nearest people, each as their nearest face and their number of faces."""
        ordered = sorted(self._people.values(), key=lambda person: person.place)
        matches = [person.nearest._replace(faces=person.faces) for person in ordered[:limit]]
        return SearchResult(matches, truncated=len(ordered) > limit)
