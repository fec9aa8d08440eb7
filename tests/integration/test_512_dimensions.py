"""Embeddings of the facenet pack pass through every store, and searches find exactly the right faces."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.faces import KnownFace, TemporaryFace, Terms, new_token
from chalicelib.gallery import snapshot
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.segments import SegmentStore
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import ModelPack
from tests.embeddings import known_faces, unit_vectors
from tests.oracle import brute_force
from tests.pictures import astronaut, scaled

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def embeddings(facenet_pack: ModelPack) -> NDArray[np.float32]:
    """Return embeddings of 60 chips from one photograph. Untrained weights put all of them close together."""
    picture = scaled(astronaut(), 400, 400)
    chips = [np.ascontiguousarray(picture[i : i + 160, 2 * i : 2 * i + 160]) for i in range(0, 120, 2)]
    return Embedder(facenet_pack.embedder, facenet_pack.network("embedder.onnx")).embed_chips(chips)


@pytest.fixture
def tokens(dynamodb: DynamoDBClient, tokens_table: str) -> TokenStore:
    return TokenStore(dynamodb, tokens_table, ttl_seconds=1000)


def test_a_search_is_exact_from_the_token_to_the_segments(
    facenet_pack: ModelPack, embeddings: NDArray[np.float32], tokens: TokenStore, database: Database
) -> None:
    face_set, segments = FaceSet(database), SegmentStore(database)
    model = facenet_pack.embedding_id
    temporary = [TemporaryFace(new_token(), values, model, "crop.jpg", tokens.expiry()) for values in embeddings]

    def new_gallery() -> MemoryGallery:
        return MemoryGallery(face_set, segments, model, facenet_pack.embedder.dimension)

    # Save the faces as /detect does and add them as /addface does.
    tokens.save(temporary)
    for i, face in enumerate(temporary):
        kept = tokens.get(face.token)
        assert kept is not None
        assert kept.embedding.tobytes() == face.embedding.tobytes()
        face_set.add(KnownFace(face.token, f"person {i}", kept.embedding, kept.embedding_id, f"{i}.jpg"))
    # More embeddings near these, at all distances.
    face_set.add_many(known_faces(_near(embeddings, 500), model=model))
    followed = new_gallery()

    def expect_the_oracles(check: Callable[[int], object]) -> None:
        for gallery in (followed, new_gallery()):
            for face in temporary[::12]:
                for threshold in (0.0, 0.05, 0.06, 0.07, 0.1, 0.2, 0.4):
                    expected = brute_force(face_set, model, face.embedding, threshold, 200, face.token)
                    assert gallery.search(face.embedding, Terms(threshold, 200, without=face.token)) == expected
                    check(len(expected.matches))

    counts: list[int] = []
    expect_the_oracles(counts.append)
    assert min(counts) == 0
    assert len(set(counts)) > 10  # thresholds at many points of the distance range

    assert snapshot.compact(face_set, segments) == face_set.version()
    assert len(next(iter(segments.read(model))).codes) % 512 == 0
    expect_the_oracles(counts.append)

    for face in temporary[1::4]:
        face_set.remove(face.token)
    expect_the_oracles(counts.append)


def _near(embeddings: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return embeddings of the same length, each 0.02 to 0.4 from one of `embeddings`."""
    random = np.random.default_rng(4)
    moves = unit_vectors(count, dimension=512, seed=5) * random.uniform(0.02, 0.4, (count, 1))
    moved = embeddings[random.integers(0, len(embeddings), count)] + moves
    length = np.linalg.norm(embeddings[0])
    return np.asarray(moved / np.linalg.norm(moved, axis=1, keepdims=True) * length, np.float32)
