"""A search in two steps, whatever it looks through: candidates are proposed, and their rows decide."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import DEFAULT_SET_ID, Embedding, Match, SearchResult
from chalicelib.gallery.codes import Candidates, Ids
from chalicelib.gallery.gallery import Contents
from chalicelib.gallery.people import People
from chalicelib.stores.active_model import ModelChangedError, State, check_model
from chalicelib.stores.face_set import MAX_IDS_PER_STATEMENT, FaceSet


class _Decided(NamedTuple):
    """Faces within the threshold, nearest first, each with its distance and row id; and how many rows were gone."""

    results: list[tuple[float, int, Match]]
    gone: int


class ExactSearch(ABC):
    """See `Gallery`. What it looks through need only propose candidates and follow the face set's changes.

    Once the face set has been put under another model it is of no use any more, and says so by ModelChangedError, even
    when the model is the same again.
    """

    def __init__(self, face_set: FaceSet, embedding_id: str) -> None:
        self._face_set = face_set
        self._embedding_id = embedding_id
        # The face set's, when it was first looked at.
        self._switches: int | None = None

    @abstractmethod
    def propose(self, probe: NDArray[np.float64], threshold: float, most: int, set_id: int) -> Candidates:
        """Return the faces of a set that can be within `threshold` and among the `most` nearest ones.

        Takes account of every change that was committed before this call.
        """

    @abstractmethod
    def apply(self) -> int:
        """Bring what is looked through up to the face set's present version; return the version that it then shows."""

    @abstractmethod
    def contents(self) -> Contents:
        """See `Gallery.contents`."""

    def search(
        self,
        embedding: Embedding,
        threshold: float,
        limit: int,
        *,
        without: str | None = None,
        set_id: int = DEFAULT_SET_ID,
    ) -> SearchResult:
        """See `Gallery.search`."""
        probe = embedding.astype(np.float64)
        # One more than asked for tells whether there are more; another stands for the face to leave out.
        most = limit + 1 + (without is not None)
        while True:
            candidates = self.propose(probe, threshold, most, set_id)
            results, gone = self._decide(probe, candidates, threshold, limit, without)
            more_there = candidates.reach < threshold
            if gone and more_there and len(results) <= limit and not candidates.capped:
                # Others must take the places of those that were removed after the proposal.
                most += gone
                continue
            matches = [match for _, _, match in results[:limit]]
            return SearchResult(matches, truncated=len(results) > limit or (candidates.capped and more_there))

    def search_people(
        self,
        embedding: Embedding,
        threshold: float,
        limit: int,
        *,
        without: str | None = None,
        set_id: int = DEFAULT_SET_ID,
    ) -> SearchResult:
        """See `Gallery.search_people`."""
        probe = embedding.astype(np.float64)
        candidates = self.propose(probe, threshold, sys.maxsize, set_id)
        people = People()
        for start in range(0, len(candidates.ids), MAX_IDS_PER_STATEMENT):
            found, _ = self._measure(probe, candidates.ids[start : start + MAX_IDS_PER_STATEMENT], threshold, without)
            for _, row_id, match in found:
                people.add(row_id, match)
        # Rows that are gone were removed, or discarded after the model was changed.
        self._check(self._face_set.state())
        nearest = people.nearest(limit)
        return nearest if not candidates.capped else SearchResult(nearest.matches, truncated=True)

    def _check(self, state: State) -> None:
        check_model(state.embedding_id, self._embedding_id)
        if self._switches is None:
            self._switches = state.switches
        if self._switches != state.switches:
            raise ModelChangedError(state.embedding_id)

    def _decide(
        self, probe: NDArray[np.float64], candidates: Candidates, threshold: float, limit: int, without: str | None
    ) -> _Decided:
        """Read the candidates' rows, nearest first, until no other can be among the results."""
        results: list[tuple[float, int, Match]] = []
        gone = 0
        for start in range(0, len(candidates.ids), MAX_IDS_PER_STATEMENT):
            if len(results) > limit and candidates.at_least[start] > sorted(r[0] for r in results)[limit]:
                break
            chunk = candidates.ids[start : start + MAX_IDS_PER_STATEMENT]
            found, there = self._measure(probe, chunk, threshold, without)
            results += found
            gone += len(chunk) - there
        if gone:
            # Removed, or discarded after the model was changed.
            self._check(self._face_set.state())
        results.sort(key=lambda result: result[:2])
        return _Decided(results, gone)

    def _measure(
        self, probe: NDArray[np.float64], ids: Ids, threshold: float, without: str | None
    ) -> tuple[list[tuple[float, int, Match]], int]:
        """Read rows; return those within the threshold, and how many are there at all."""
        rows = self._face_set.fetch(ids, self._embedding_id)
        embeddings = np.array([row.embedding for row in rows], np.float64).reshape(len(rows), len(probe))
        distances = np.sqrt(np.sum((embeddings - probe) ** 2, axis=1))
        found = [
            (distance, row.id, Match(row.token, row.name, distance))
            for distance, row in zip(map(float, distances), rows, strict=True)
            if distance <= threshold and row.token != without
        ]
        return found, len(rows)
