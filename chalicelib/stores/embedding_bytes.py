"""Converts embeddings to and from the bytes that are stored: float32, little-endian."""

from __future__ import annotations

import numpy as np

from chalicelib.faces import Embedding


def to_bytes(embedding: Embedding) -> bytes:
    return np.asarray(embedding, dtype="<f4").tobytes()


def from_bytes(data: bytes) -> Embedding:
    """Return the embedding as a read-only view of `data`."""
    return np.frombuffer(data, dtype="<f4")
