"""Compares searches by codes and exact decisions with float64 brute force over the vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from chalicelib.gallery.codes import CodeBook, encode

Vectors = NDArray[np.float32]

KINDS = ("random", "clustered", "duplicates", "of any length", "extreme")
SIZES = (1_000, 100_000, 1_000_000)
PORTION = 50_000


def differences(dimension: int = 128) -> tuple[int, int]:
    """Search among faces of every kind and number; return the numbers of searches and of differing results.

    Thresholds lie between distances, exactly on a distance, and beyond all distances; limits are 1, 100 and 10,000.
    """
    searches = wrong = 0
    for size in SIZES:
        for kind in KINDS:
            vectors = _faces(kind, size, dimension)
            book = CodeBook(dimension)
            for start in range(0, size, PORTION):
                book.add(encode(np.arange(start, min(start + PORTION, size)), vectors[start : start + PORTION]))
            for probe in (vectors[0], vectors[size // 2] * np.float32(1.01)):
                distances = _distances(vectors, probe)
                ordered = np.sort(distances)
                for threshold in (0.0, ordered[1], ordered[20], ordered[20] * 1.0001, ordered[-1] * 2):
                    for limit in (1, 100, 10_000):
                        expected = _nearest(np.arange(size), distances, threshold, limit)
                        chosen = book.near(probe.astype(np.float64), float(threshold), limit + 1).ids
                        found = _nearest(np.sort(chosen), distances[np.sort(chosen)], threshold, limit)
                        searches += 1
                        wrong += not np.array_equal(expected, found)
    return searches, wrong


def _nearest(ids: NDArray[np.int64], distances: NDArray[np.float64], threshold: float, limit: int) -> NDArray[np.int64]:
    within = np.flatnonzero(distances <= threshold)
    return np.asarray(ids[within[np.argsort(distances[within], kind="stable")[:limit]]])


def _distances(vectors: Vectors, probe: Vectors) -> NDArray[np.float64]:
    parts = [vectors[start : start + PORTION].astype(np.float64) for start in range(0, len(vectors), PORTION)]
    return np.concatenate([np.sqrt(np.sum((part - probe.astype(np.float64)) ** 2, axis=1)) for part in parts])


def _faces(kind: str, count: int, dimension: int) -> Vectors:
    random = np.random.default_rng(7)
    vectors = random.standard_normal((count, dimension), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    match kind:
        case "clustered":
            vectors = vectors[random.integers(0, count // 50, count)] + vectors * np.float32(0.3)
        case "duplicates":
            vectors = vectors[random.integers(0, count // 100, count)]
        case "of any length":
            vectors *= np.exp(random.uniform(-5, 5, (count, 1))).astype(np.float32)
        case "extreme":
            vectors *= np.float32(10.0) ** random.integers(-30, 30, (count, 1)).astype(np.float32)
    return vectors
