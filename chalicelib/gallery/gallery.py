"""What a search asks: which known faces are within a distance of an embedding."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from chalicelib.faces import Embedding, Match, SearchResult
from chalicelib.stores.face_set import FaceSet

SCAN_ROWS = 4_096


class Gallery(Protocol):
    def search(self, embedding: Embedding, threshold: float, limit: int, *, without: str | None = None) -> SearchResult:
        """Return the faces within `threshold`, nearest first, equally near ones in the order they were added.

        Exact: the distances are those of the rows' vectors in float64. Sees every change that was answered before.

        Parameters
        ----------
        embedding : the probe, calibrated, under the gallery's embedding id.
        threshold : the largest Euclidean distance.
        limit : the most results; when there are more, the result says `truncated`.
        without : the token of a face to leave out.
        """
        ...


class RowScan:
    """Reads every row for every search: exact and always current, for small face sets; the oracle for faster ones."""

    def __init__(self, face_set: FaceSet, embedding_id: str) -> None:
        self._face_set = face_set
        self._embedding_id = embedding_id

    def search(self, embedding: Embedding, threshold: float, limit: int, *, without: str | None = None) -> SearchResult:
        probe = embedding.astype(np.float64)
        found: list[tuple[float, int]] = []
        for ids, rows in self._face_set.scan(self._embedding_id, SCAN_ROWS):
            distances = np.sqrt(np.sum((rows.astype(np.float64) - probe) ** 2, axis=1))
            near = distances <= threshold
            found += zip(distances[near].tolist(), ids[near].tolist(), strict=True)
        found.sort()
        # One more than asked for, because the face to leave out may be among them.
        nearest = {face_id: distance for distance, face_id in found[: limit + 1]}
        known = {row.id: row for row in self._face_set.fetch(list(nearest))}
        matches = [
            Match(known[face_id].token, known[face_id].name, distance)
            for face_id, distance in nearest.items()
            if face_id in known and known[face_id].token != without
        ]
        left_out = sum(row.token == without for row in known.values())
        return SearchResult(matches[:limit], truncated=len(found) - left_out > limit)
