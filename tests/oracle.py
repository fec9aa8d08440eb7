"""The expected results of searches: float64 brute force over the rows."""

from __future__ import annotations

import numpy as np

from chalicelib.faces import DEFAULT_NAME, DEFAULT_SET_ID, Embedding, Match, SearchResult
from chalicelib.stores.face_set.face_set import FaceSet


def brute_force(
    face_set: FaceSet,
    embedding_id: str,
    embedding: Embedding,
    threshold: float,
    limit: int,
    without: str | None = None,
    set_id: int = DEFAULT_SET_ID,
) -> SearchResult:
    rows = [row for row in face_set.vectors(0, 2**62) if row.embedding_id == embedding_id and row.set_id == set_id]
    vectors = np.array([row.embedding for row in rows], np.float64).reshape(len(rows), len(embedding))
    distances = np.sqrt(np.sum((vectors - embedding.astype(np.float64)) ** 2, axis=1)).tolist()
    found = [(distance, row.id) for distance, row in zip(distances, rows, strict=True) if distance <= threshold]
    named = {row.id: row for row in face_set.fetch([face_id for _, face_id in found], embedding_id)}
    matches = [
        Match(named[face_id].token, named[face_id].name, distance)
        for distance, face_id in sorted(found)
        if named[face_id].token != without
    ]
    return SearchResult(matches[:limit], truncated=len(matches) > limit)


def by_person(matches: list[Match], limit: int) -> SearchResult:
    """Return matches grouped into people, nearest first."""
    people: list[Match] = []
    for match in matches:
        name = match.name.strip().casefold()
        same = [other for other in matches if other.name.strip().casefold() == name != DEFAULT_NAME]
        if same and match.token != same[0].token:
            continue
        people.append(Match(match.token, match.name, match.distance, faces=max(len(same), 1)))
    return SearchResult(people[:limit], truncated=len(people) > limit)
