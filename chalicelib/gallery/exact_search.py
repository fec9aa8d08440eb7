"""Searches in two steps, for any gallery: proposes candidates, then decides by their rows."""

from __future__ import annotations

import heapq
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Embedding, Match, SearchResult, Terms
from chalicelib.gallery.code_bounds import Candidates, Ids
from chalicelib.gallery.gallery import Contents
from chalicelib.gallery.people import People
from chalicelib.gallery.person_search import PersonSearch, row_distances
from chalicelib.stores.face_set.active_model import ModelChangedError, State, check_model
from chalicelib.stores.face_set.face_set import MAX_IDS_PER_STATEMENT, FaceSet

# Faces proposed for each probe of `identify`, beyond its limit: a picture's person seldom has more.
FIRST_PROPOSED, MORE_PROPOSED = 1_000, 8
# Rows read for each probe of `identify` at first, how many times as many each time after, and the most at once.
FIRST_READ, MORE_READ, MAX_READ = 32, 4, 20_000


class _Measured(NamedTuple):
    """Faces within the threshold, each as its distance, row id and match; the number of faces beyond the threshold;
    the number of faces without a row."""

    within: list[tuple[float, int, Match]]
    beyond: int
    gone: int


class _Nearest:
    """Keeps the `most` nearest of the offered matches; equally near matches in the order of their ids."""

    def __init__(self, most: int) -> None:
        self._most = most
        # The farthest match comes first, so that a nearer one replaces it.
        self._heap: list[tuple[float, int, Match]] = []

    @property
    def reach(self) -> float:
        """The distance beyond which no other match is among the nearest; infinite until there are `most` matches."""
        return -self._heap[0][0] if len(self._heap) == self._most else math.inf

    def offer(self, distance: float, row_id: int, match: Match) -> None:
        push = heapq.heappushpop if len(self._heap) == self._most else heapq.heappush
        push(self._heap, (-distance, -row_id, match))

    def ordered(self) -> list[tuple[float, int, Match]]:
        return [(-distance, -row_id, match) for distance, row_id, match in sorted(self._heap, reverse=True)]


class ExactSearch(ABC):
    """A `Gallery` that checks candidates by their rows. Subclasses propose candidates and follow changes.

    Once the face set has switched models, searches raise ModelChangedError for good, even if the first model is active
    again.
    """

    def __init__(self, face_set: FaceSet, embedding_id: str) -> None:
        self._face_set = face_set
        self._embedding_id = embedding_id
        # The face set's number of switches when it was first read.
        self._switches: int | None = None

    @abstractmethod
    def propose(self, probes: NDArray[np.float64], threshold: float, most: int, set_id: int) -> list[Candidates]:
        """Return, for each probe, the faces of a set that can be within `threshold` and among the `most` nearest.

        `probes` is m x d, float64.

        Includes every change that was committed before this call.
        """

    @abstractmethod
    def apply(self) -> int:
        """Apply all pending changes of the face set; return the version that the gallery then reflects."""

    @abstractmethod
    def contents(self) -> Contents:
        """See `Gallery.contents`."""

    def search(self, embedding: Embedding, terms: Terms) -> SearchResult:
        """See `Gallery.search`."""
        probe = embedding.astype(np.float64)
        return self._search_people(probe, terms) if terms.by_person else self._search_faces(probe, terms)

    def identify(self, embeddings: NDArray[np.float32], terms: Terms) -> list[SearchResult]:
        """See `Gallery.identify`."""
        probes = embeddings.astype(np.float64)
        found: dict[int, SearchResult] = {}
        most = terms.limit + FIRST_PROPOSED
        while len(found) < len(probes):
            left = [number for number in range(len(probes)) if number not in found]
            proposed = self.propose(probes[left], terms.threshold, most, terms.set_id)
            searches = [PersonSearch(probes[number], own, terms) for number, own in zip(left, proposed, strict=True)]
            self._read_people(searches)
            for number, search in zip(left, searches, strict=True):
                if search.is_certain():
                    found[number] = search.result()
            # The nearest faces belonged to too few people, or were removed since the proposal.
            most *= MORE_PROPOSED
        return [found[number] for number in range(len(probes))]

    def _read_people(self, searches: Sequence[PersonSearch]) -> None:
        """Read the candidates' rows, nearest first, a share of each search's at a time, until all are decided."""
        each = FIRST_READ
        gone = False
        while undecided := [search for search in searches if not search.is_decided()]:
            each = min(each, MAX_READ // len(undecided))
            ids = np.unique(np.concatenate([search.next_ids(each) for search in undecided]))
            rows = self._face_set.fetch(ids, self._embedding_id)
            gone |= len(rows) < len(ids)
            for search in undecided:
                search.read(rows)
            each *= MORE_READ
        if gone:
            self._check(self._face_set.state())

    def _search_faces(self, probe: NDArray[np.float64], terms: Terms) -> SearchResult:
        # One more than the limit shows whether there are more; another makes up for the face to leave out.
        most = terms.limit + 1 + (terms.without is not None)
        while True:
            [candidates] = self.propose(probe[None], terms.threshold, most, terms.set_id)
            within, beyond, gone = self._decide(probe, candidates, terms)
            # Beyond the reach, faces that were not proposed may be nearer than those that were.
            certain = sum(distance < candidates.reach for distance, _, _ in within)
            if gone and candidates.reach < terms.threshold and certain <= terms.limit and not candidates.capped:
                # Propose more faces to replace those removed since the proposal.
                most += gone
                continue
            matches = [match for _, _, match in within[: terms.limit]]
            return SearchResult(matches, truncated=len(within) > terms.limit or (candidates.capped and not beyond))

    def _search_people(self, probe: NDArray[np.float64], terms: Terms) -> SearchResult:
        [candidates] = self.propose(probe[None], terms.threshold, sys.maxsize, terms.set_id)
        people, all_within = People(), True
        for start in range(0, len(candidates.ids), MAX_IDS_PER_STATEMENT):
            ids = candidates.ids[start : start + MAX_IDS_PER_STATEMENT]
            within, beyond, _ = self._measure(probe, ids, terms)
            all_within &= not beyond
            for _, row_id, match in within:
                people.add(row_id, match)
        # A missing row was removed, or its vector was discarded after a switch of the model.
        self._check(self._face_set.state())
        nearest = people.nearest(terms.limit)
        return SearchResult(nearest.matches, truncated=nearest.truncated or (candidates.capped and all_within))

    def _check(self, state: State) -> None:
        check_model(state.embedding_id, self._embedding_id)
        if self._switches is None:
            self._switches = state.switches
        if self._switches != state.switches:
            raise ModelChangedError(state.embedding_id)

    def _decide(self, probe: NDArray[np.float64], candidates: Candidates, terms: Terms) -> _Measured:
        """Read the candidates' rows, nearest first, until no other can be among the results. Return at most `limit` + 1
        matches, in order.
        """
        nearest = _Nearest(terms.limit + 1)
        beyond = gone = 0
        for start in range(0, len(candidates.ids), MAX_IDS_PER_STATEMENT):
            if candidates.at_least[start] > nearest.reach:
                break
            chunk = candidates.ids[start : start + MAX_IDS_PER_STATEMENT]
            measured = self._measure(probe, chunk, terms)
            for found in measured.within:
                nearest.offer(*found)
            beyond += measured.beyond
            gone += measured.gone
        if gone:
            # The faces were removed, or their vectors discarded after a switch of the model.
            self._check(self._face_set.state())
        return _Measured(nearest.ordered(), beyond, gone)

    def _measure(self, probe: NDArray[np.float64], ids: Ids, terms: Terms) -> _Measured:
        rows = self._face_set.fetch(ids, self._embedding_id)
        distances = row_distances(probe, rows)
        within = [
            (distance, row.id, Match(row.token, row.name, distance))
            for distance, row in zip(map(float, distances), rows, strict=True)
            if distance <= terms.threshold and row.token != terms.without
        ]
        return _Measured(within, int(np.count_nonzero(distances > terms.threshold)), len(ids) - len(rows))
