"""Groups faces by person, without knowing any person.

Method: average linkage (UPGMA: Sokal and Michener, "A statistical method for evaluating systematic relationships",
1958), by the chain of nearest neighbours (Murtagh, "A survey of recent advances in hierarchical clustering algorithms",
1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib.vision.model_pack import Threshold, distance_at

# Chosen by measurement: docs/decisions/0147-groups-by-average-linkage.md.
FALSE_MATCH_RATE = 1e-3


class Grouping(NamedTuple):
    """Groups of at least two tokens, largest first, then in the order of their first tokens; and all other tokens.

    Two groups were joined up to the mean distance `threshold` between their faces.
    """

    groups: list[list[str]]
    ungrouped: list[str]
    threshold: float


def grouped(tokens: Sequence[str], embeddings: NDArray[np.float32], thresholds: Sequence[Threshold]) -> Grouping:
    """Group the faces of tokens by their embeddings, n x dimension, with a threshold of the embeddings' model."""
    threshold = distance_at(FALSE_MATCH_RATE, thresholds)
    found = [[tokens[face] for face in group] for group in groups(embeddings, threshold)]
    return Grouping(
        [group for group in found if len(group) > 1], [group[0] for group in found if len(group) == 1], threshold
    )


def groups(embeddings: NDArray[np.float32], threshold: float) -> list[list[int]]:
    """Return the numbers of the faces in each group, ascending; the largest group first, then by their first face.

    The two groups with the smallest mean distance between their faces are joined, until it exceeds the threshold
    everywhere. Faces with equal embeddings are in one group. The groups do not depend on the order of the faces:
    embeddings are sorted by their values first, and of two equal distances the one to the smaller embedding counts.
    """
    distinct, places, counts = np.unique(embeddings, axis=0, return_inverse=True, return_counts=True)
    labels = _joined(_distances(distinct), counts.astype(np.float64), threshold)
    members: dict[int, list[int]] = {}
    for face, place in enumerate(places.ravel()):
        members.setdefault(int(labels[place]), []).append(face)
    return sorted(members.values(), key=lambda group: (-len(group), group[0]))


def _distances(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distances of all pairs, n x n; the diagonal is infinite."""
    vectors = embeddings.astype(np.float64)
    squares = np.sum(vectors**2, axis=1)
    squared = squares[:, None] + squares[None, :] - 2 * vectors @ vectors.T
    distances: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0))
    np.fill_diagonal(distances, np.inf)
    # Rounding must not make the two distances of a pair differ: the chain below might not end.
    return np.minimum(distances, distances.T)


def _joined(distances: NDArray[np.float64], sizes: NDArray[np.float64], threshold: float) -> NDArray[np.int64]:
    """Join clusters until none is within the threshold of another; return the cluster of each face.

    A chain leads from a cluster to its nearest one, and on, over ever smaller distances. Its last two clusters are each
    other's nearest. Other joins do not change that, so average linkage joins these two sooner or later.
    """
    labels = np.arange(len(sizes))
    waiting = np.ones(len(sizes), np.bool_)
    for first in range(len(sizes)):
        chain = [first] if waiting[first] else []
        while chain:
            row, before = distances[chain[-1]], chain[-2] if len(chain) > 1 else None
            nearest = int(np.argmin(row))
            if before is not None and row[before] <= row[nearest]:
                nearest = before
            if row[nearest] > threshold:  # joining others cannot bring them nearer
                waiting[chain.pop()] = False
            elif nearest != before:
                chain.append(nearest)
            else:
                kept, gone = sorted((chain.pop(), chain.pop()))
                mean = sizes[kept] * distances[kept] + sizes[gone] * distances[gone]
                sizes[kept] += sizes[gone]
                distances[kept] = distances[:, kept] = mean / sizes[kept]
                distances[gone] = distances[:, gone] = np.inf
                distances[kept, kept] = np.inf
                waiting[gone] = False
                labels[labels == gone] = kept
                chain = chain or [kept]
    return labels
