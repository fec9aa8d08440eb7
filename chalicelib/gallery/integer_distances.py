"""Computes exact squared distances between codes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

simsimd: Any
try:
    import simsimd
except ImportError:  # no wheel for this platform
    simsimd = None

# The dot product of two codes must not exceed 2^24: up to there, float32 represents every integer exactly.
MAX_EXACT_DIMENSION = 2**24 // 127**2
CHUNK = 8_192


def squared_distances(probe: NDArray[np.int8], codes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the exact |code - probe|^2 of every code (n x d, contiguous) as n float64 values."""
    if simsimd is None:
        return with_numpy(probe, codes)
    if len(codes) == 0:
        return np.zeros(0)
    # Never with `out=`: SimSIMD then corrupts reference counts on Python 3.11.
    distances: NDArray[np.float64] = np.asarray(simsimd.cdist(probe[None], codes, metric="sqeuclidean"))[0]
    return distances


def with_numpy(probe: NDArray[np.int8], codes: NDArray[np.int8]) -> NDArray[np.float64]:
    """Do the same without SimSIMD, as |c|^2 - 2 c.p + |p|^2 through the BLAS; each term is exact in float32."""
    assert codes.shape[1] <= MAX_EXACT_DIMENSION
    distances = np.empty(len(codes))
    wide = probe.astype(np.float32)
    own = float(wide @ wide)
    for start in range(0, len(codes), CHUNK):
        chunk = codes[start : start + CHUNK].astype(np.float32)
        lengths = np.einsum("ij,ij->i", chunk, chunk)
        distances[start : start + CHUNK] = lengths.astype(np.float64) - 2.0 * (chunk @ wide) + own
    return distances
