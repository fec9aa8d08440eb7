"""Finds the nearest people of one probe, by reading no more candidates than it takes to be certain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Match, SearchResult, Terms
from chalicelib.gallery.code_bounds import Candidates, Ids
from chalicelib.gallery.people import People
from chalicelib.stores.face_set.face_set import FaceRow


class PersonSearch:
    """Searches the candidates of one probe (d, float64). `read` takes their rows, step by step."""

    def __init__(self, probe: NDArray[np.float64], candidates: Candidates, terms: Terms) -> None:
        self._probe = probe
        self._candidates = candidates
        self._terms = terms
        self._end = 0
        self._asked: frozenset[int] = frozenset()
        self._all_within = True
        self._people = People()

    def is_decided(self) -> bool:
        """Return whether reading more candidates cannot change the result."""
        at_least = self._candidates.at_least
        return self._end == len(at_least) or bool(at_least[self._end] > self._people.reach(self._terms.limit + 1))

    def next_ids(self, most: int) -> Ids:
        """Return the ids of the next candidates, nearest first; `read` takes their rows."""
        ids = self._candidates.ids[self._end : self._end + most]
        self._end += len(ids)
        self._asked = frozenset(ids.tolist())
        return ids

    def read(self, rows: Sequence[FaceRow]) -> None:
        """Take the rows that exist among the last `next_ids`; ignore all others."""
        own = [row for row in rows if row.id in self._asked]
        for distance, row in zip(row_distances(self._probe, own).tolist(), own, strict=True):
            if distance <= self._terms.threshold:
                self._people.add(row.id, Match(row.token, row.name, distance))
            else:
                self._all_within = False

    def is_certain(self) -> bool:
        """Return whether no face that was not proposed can change the result."""
        reach = self._candidates.reach
        if reach >= self._terms.threshold or self._candidates.capped:
            return True
        return self._people.reach(self._terms.limit + 1) < reach

    def result(self) -> SearchResult:
        """Return the nearest people, each as their nearest face, without a number of faces."""
        nearest = self._people.nearest(self._terms.limit)
        matches = [match._replace(faces=None) for match in nearest.matches]
        return SearchResult(matches, nearest.truncated or (self._candidates.capped and self._all_within))


def row_distances(probe: NDArray[np.float64], rows: Sequence[FaceRow]) -> NDArray[np.float64]:
    """Return the Euclidean distance of each row's embedding from a probe (d), in float64."""
    embeddings = np.array([row.embedding for row in rows], np.float64).reshape(len(rows), len(probe))
    return np.asarray(np.sqrt(np.sum((embeddings - probe) ** 2, axis=1)))
