"""The faces of a run. A face's number determines everything about it, so any process can search for it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import TOKEN_LENGTH, Embedding, KnownFace
from chalicelib.gallery.codes import encode
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from tests.embeddings import MODEL, unit_vectors

DIMENSION = 128
PEOPLE = 40
# Embeddings of a few lengths, so that galleries have blocks of several scales.
_FACTORS = (1.0, 1.0, 1.0, 0.4, 2.5)
_TWIN_EVERY = 16
# The numbers of the face sets: the default set, and the first sets that `make_sets` creates.
SET_IDS = (1, 2, 3)


def face(number: int) -> KnownFace:
    return KnownFace(token(number), f"name {number}", embedding(number), MODEL, f"{number}.jpg", set_id(number))


def set_id(number: int) -> int:
    return SET_IDS[number % len(SET_IDS)]


def make_sets(database: Database) -> None:
    """Create the face sets of a new database."""
    names = FaceSetNames(database)
    for expected in SET_IDS[1:]:
        names.create(f"set-{expected}")
        assert names.id_of(f"set-{expected}") == expected


def token(number: int) -> str:
    return f"{number:0{TOKEN_LENGTH}d}"


@cache
def embedding(number: int) -> Embedding:
    """Return a person's face, 0.1 to 1.2 from that person's other faces; every 16th equals another face."""
    if number % _TWIN_EVERY == _TWIN_EVERY - 1:
        return embedding(number // 2)
    random = np.random.default_rng(number)
    spread = random.standard_normal(DIMENSION)
    spread *= random.uniform(0.05, 0.6) / np.linalg.norm(spread)
    factor = _FACTORS[random.integers(len(_FACTORS))]
    return np.asarray(factor * (_people()[random.integers(PEOPLE)] + spread), np.float32)


@cache
def code(number: int) -> bytes:
    """Return the code under which a face is packed."""
    [coded] = encode(np.zeros(1, np.int64), embedding(number)[None])
    return coded.codes.tobytes()


class Embeddings:
    """Caches the embeddings of the faces from 0 on."""

    def __init__(self) -> None:
        self._known: NDArray[np.float64] = np.zeros((0, DIMENSION))

    def distances(self, probe: Embedding, count: int, within: int) -> NDArray[np.float64]:
        """Return the distances of the faces 0 to `count` - 1 from a probe; infinite outside the set `within`."""
        if count > len(self._known):
            new = [embedding(number) for number in range(len(self._known), count)]
            self._known = np.concatenate([self._known, np.array(new, np.float64)])
        distances: NDArray[np.float64] = np.sqrt(np.sum((self._known[:count] - probe.astype(np.float64)) ** 2, axis=1))
        distances[np.array([set_id(number) != within for number in range(count)], np.bool_)] = np.inf
        return distances


@cache
def _people() -> NDArray[np.float32]:
    return unit_vectors(PEOPLE)
