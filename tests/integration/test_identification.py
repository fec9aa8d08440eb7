"""`Gallery.identify` equals a search by person for each probe, from memory and from a vector index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.faces import DEFAULT_NAME, DEFAULT_SET_ID, Embedding, KnownFace, SearchResult, Terms
from chalicelib.gallery import exact_search
from chalicelib.gallery.exact_search import ExactSearch
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_set import FaceRow, FaceSet
from tests.embeddings import MODEL
from tests.integration.gallery_faces import Faces, clustered
from tests.integration.vector_faces import VectorFaces
from tests.oracle import brute_force, by_person

if TYPE_CHECKING:
    from mypy_boto3_s3vectors import S3VectorsClient


@pytest.fixture
def faces(database: Database) -> Faces:
    return Faces(database)


@pytest.fixture
def vector_faces(database: Database, s3_vectors: S3VectorsClient) -> VectorFaces:
    faces = VectorFaces(database, s3_vectors)
    faces.build()
    return faces


def named(known: list[KnownFace], people: int) -> list[KnownFace]:
    """Return faces of a number of people, a fifth of the faces without a name."""
    return [
        face._replace(name=DEFAULT_NAME if number % 5 == 4 else f"person {number % people}")
        for number, face in enumerate(known)
    ]


def probes(known: list[KnownFace], count: int) -> Embedding:
    return np.array([face.embedding for face in known[:count]])


def expected(face_set: FaceSet, probe: Embedding, threshold: float, limit: int) -> SearchResult:
    people = by_person(brute_force(face_set, MODEL, probe, threshold, 10_000).matches, limit)
    return people._replace(matches=[match._replace(faces=None) for match in people.matches])


def expect(gallery: ExactSearch, face_set: FaceSet, asked: Embedding, threshold: float, limit: int) -> None:
    found = gallery.identify(asked, Terms(threshold, limit))

    assert found == [expected(face_set, probe, threshold, limit) for probe in asked]


@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.65, 0.9, 2.5, 1e300])
@pytest.mark.parametrize("limit", [1, 3, 10_000])
def test_people_equal_brute_force_over_the_rows(faces: Faces, threshold: float, limit: int) -> None:
    known = faces.add(named(clustered(400), 40))

    for gallery in (faces.gallery, faces.new_gallery()):
        expect(gallery, faces.face_set, probes(known, 6), threshold, limit)


@pytest.mark.parametrize("limit", [1, 3, 10_000])
def test_people_of_a_vector_index_equal_brute_force(vector_faces: VectorFaces, limit: int) -> None:
    known = named(clustered(250), 30)
    vector_faces.add(known[:200])
    vector_faces.changes.apply()
    vector_faces.add(known[200:])

    for threshold in (0.0, 0.65, 2.5):
        expect(vector_faces.gallery, vector_faces.face_set, probes(known, 4), threshold, limit)


@pytest.mark.parametrize("people", [1, 2, 7])
def test_more_faces_are_proposed_until_there_are_enough_people(
    faces: Faces, monkeypatch: pytest.MonkeyPatch, people: int
) -> None:
    """The nearest faces may all be one person's."""
    monkeypatch.setattr(exact_search, "FIRST_PROPOSED", 5)
    monkeypatch.setattr(exact_search, "FIRST_READ", 2)
    known = faces.add([face._replace(name=f"person {i % people}") for i, face in enumerate(clustered(300))])

    for limit in (1, 2, 6, 7, 8):
        expect(faces.gallery, faces.face_set, probes(known, 5), 2.5, limit)


def test_rows_are_read_in_portions(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_search, "MAX_READ", 8)
    known = faces.add(named(clustered(200), 20))

    expect(faces.gallery, faces.face_set, probes(known, 8), 2.5, 50)


def test_one_proposal_for_all_probes(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    known = faces.add(named(clustered(300), 40))
    proposals = []
    propose = faces.gallery.propose

    def counted(asked: NDArray[np.float64], threshold: float, most: int, set_id: int) -> object:
        proposals.append(len(asked))
        return propose(asked, threshold, most, set_id)

    monkeypatch.setattr(faces.gallery, "propose", counted)

    expect(faces.gallery, faces.face_set, probes(known, 20), 0.65, 10)
    assert proposals == [20]


def test_faces_removed_after_the_proposal_are_replaced(faces: Faces, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact_search, "FIRST_PROPOSED", 5)
    known = faces.add([face._replace(name=f"person {i}") for i, face in enumerate(clustered(100))])
    asked = probes(known, 2)
    nearest = [match.token for match in expected(faces.face_set, asked[0], 2.5, 6).matches]
    fetch, removed = faces.face_set.fetch, []

    def removing(ids: Sequence[int] | NDArray[np.int64], embedding_id: str) -> list[FaceRow]:
        while nearest:
            removed.append(faces.face_set.remove(nearest.pop()))
        return fetch(ids, embedding_id)

    monkeypatch.setattr(faces.face_set, "fetch", removing)

    found = faces.gallery.identify(asked, Terms(2.5, 3, DEFAULT_SET_ID))

    assert len(removed) == 6
    monkeypatch.undo()
    assert found == [expected(faces.face_set, probe, 2.5, 3) for probe in asked]


def test_no_probes_and_an_empty_face_set(faces: Faces) -> None:
    known = clustered(2)

    assert faces.gallery.identify(probes(known, 0), Terms(1.0, 10)) == []
    assert faces.gallery.identify(probes(known, 2), Terms(1.0, 10)) == [SearchResult([], truncated=False)] * 2
