"""Artificial embeddings and faces with them."""

from __future__ import annotations

import uuid

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import DEFAULT_SET_ID, KnownFace, new_token

MODEL = "test-128-0123456789ab"


def unit_vectors(count: int, *, dimension: int = 128, seed: int = 0) -> NDArray[np.float32]:
    vectors = np.random.default_rng(seed).standard_normal((count, dimension)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), np.float32)


def known_faces(vectors: NDArray[np.float32], *, model: str = MODEL, set_id: int = DEFAULT_SET_ID) -> list[KnownFace]:
    return [KnownFace(new_token(), f"name {i}", v, model, f"{uuid.uuid4()}.jpg", set_id) for i, v in enumerate(vectors)]
