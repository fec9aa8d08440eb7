"""Example values for tests."""

from __future__ import annotations

import numpy as np

from chalicelib.faces import KnownFace, new_token

EMBEDDING_ID = "model-4-none-1"


def known_face(
    token: str | None = None, *, name: str = "Ada", seed: int = 0, embedding_id: str = EMBEDDING_ID
) -> KnownFace:
    """Return a face with an embedding and a crop derived from `seed`."""
    embedding = np.random.default_rng(seed).standard_normal(4).astype(np.float32)
    return KnownFace(token or new_token(), name, embedding, embedding_id, crop=f"{seed}.jpg")
