"""Computes the distances of all pairs of a set's pictures, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# Pictures per block; distances from a block to all others are computed at once.
BLOCK = 256
# The most impostor pairs that are kept, the nearest ones. All rates up to FMR 0.03 of LFW's 30 million pairs are exact.
MOST_KEPT = 1_000_000


@dataclass(frozen=True, slots=True)
class PairDistances:
    """Distances in ascending order, float64, and the two pictures of each pair, n x 2 indices.

    genuine : all pairs of two pictures of one person; infinite if one picture has no face, because it cannot match.
    impostor : the nearest pairs of pictures of different people that both have a face.
    impostors : the number of all pairs of this kind.
    auc : the probability that a genuine pair is nearer than an impostor pair, over all pairs; ties count half.
    people : the number of each picture's person, from 0.
    found : which pictures have a face.
    """

    genuine: NDArray[np.float64]
    genuine_pictures: NDArray[np.int64]
    impostor: NDArray[np.float64]
    impostor_pictures: NDArray[np.int64]
    impostors: int
    auc: float
    people: NDArray[np.int64]
    found: NDArray[np.bool_]

    @property
    def faces_a_person(self) -> NDArray[np.int64]:
        """The number of pictures with a face for each person."""
        return np.bincount(self.people[self.found], minlength=int(self.people.max()) + 1)


def all_pairs(
    embeddings: NDArray[np.float32], names: Sequence[str], most_kept: int = MOST_KEPT, block: int = BLOCK
) -> PairDistances:
    """Compute the Euclidean distance of every pair of embeddings (n x dimension) once, in float64.

    Rows of NaN are pictures without a face.
    """
    people = np.unique(names, return_inverse=True)[1].astype(np.int64)
    found = ~np.isnan(embeddings[:, 0])
    genuine, genuine_pictures = _genuine(embeddings.astype(np.float64), people)
    kept, kept_pictures = np.zeros(0), np.zeros((0, 2), np.int64)
    impostors, lost = 0, 0.0
    for distances, pictures in _impostor_blocks(embeddings, people, found, block):
        impostors += len(distances)
        # The genuine pairs that are not nearer than each impostor pair; ties count half.
        lost += (
            len(genuine) * len(distances)
            - float(
                np.searchsorted(genuine, distances, "left").sum() + np.searchsorted(genuine, distances, "right").sum()
            )
            / 2
        )
        kept = np.concatenate([kept, distances])
        kept_pictures = np.concatenate([kept_pictures, pictures])
        if len(kept) > 2 * most_kept:
            kept, kept_pictures = _nearest(kept, kept_pictures, most_kept)
    kept, kept_pictures = _nearest(kept, kept_pictures, most_kept)
    auc = 1 - lost / (len(genuine) * impostors) if len(genuine) and impostors else float("nan")
    return PairDistances(genuine, genuine_pictures, kept, kept_pictures, impostors, auc, people, found)


def _genuine(
    embeddings: NDArray[np.float64], people: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    pictures = np.concatenate(
        [
            members[np.stack(np.triu_indices(len(members), 1), axis=1)]
            for members in (np.flatnonzero(people == person) for person in range(people.max() + 1))
        ]
    )
    distances = np.linalg.norm(embeddings[pictures[:, 0]] - embeddings[pictures[:, 1]], axis=1)
    distances[np.isnan(distances)] = np.inf
    order = np.argsort(distances, kind="stable")
    return distances[order], pictures[order]


def _impostor_blocks(
    embeddings: NDArray[np.float32], people: NDArray[np.int64], found: NDArray[np.bool_], block: int
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.int64]]]:
    pictures = np.flatnonzero(found)
    vectors = embeddings[pictures].astype(np.float64)
    squares = np.sum(vectors**2, axis=1)
    for first in range(0, len(pictures), block):
        rows, columns = slice(first, first + block), slice(first, None)
        squared = squares[rows, None] + squares[None, columns] - 2 * vectors[rows] @ vectors[columns].T
        distances = np.sqrt(np.maximum(squared, 0))
        different = people[pictures[rows], None] != people[None, pictures[columns]]
        row, column = np.nonzero(np.triu(different, 1))
        yield distances[row, column], np.stack([pictures[rows][row], pictures[columns][column]], axis=1)


def _nearest(
    distances: NDArray[np.float64], pictures: NDArray[np.int64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if len(distances) > most:
        nearest = np.argpartition(distances, most - 1)[:most]
        distances, pictures = distances[nearest], pictures[nearest]
    order = np.argsort(distances, kind="stable")
    return distances[order], pictures[order]
