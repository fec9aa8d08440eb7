"""The face set stores faces exactly as given."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.faces import KnownFace, new_token
from chalicelib.stores.database.base import Database, Parameters, Row
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.stores.face_set.face_set import MAX_FACES_PER_ADDITION, MAX_IDS_PER_STATEMENT, FaceSet
from chalicelib.stores.face_set.faces_by_token import MAX_TOKENS_PER_STATEMENT
from tests.examples import EMBEDDING_ID, known_face
from tests.integration.test_people import rows_read


@pytest.fixture
def face_set(database: Database) -> FaceSet:
    return FaceSet(database)


def all_ids(database: Database) -> set[int]:
    return {row[0] for row in database.read("SELECT id FROM face_set")}


def test_a_face_is_returned_as_added(face_set: FaceSet) -> None:
    face = known_face()

    assert face_set.add(face) is True

    kept = face_set.get(face.token, EMBEDDING_ID)
    assert kept is not None
    assert (kept.token, kept.name, kept.embedding_id, kept.crop) == (
        face.token,
        face.name,
        face.embedding_id,
        face.crop,
    )
    assert kept.embedding.dtype == np.float32
    np.testing.assert_array_equal(kept.embedding, face.embedding)
    assert face_set.count() == 1


def test_the_largest_embedding_fits(face_set: FaceSet) -> None:
    face = KnownFace(new_token(), "Ada", np.ones(2048, np.float32), EMBEDDING_ID, "c.jpg")
    face_set.add(face)

    kept = face_set.get(face.token, EMBEDDING_ID)
    assert kept is not None
    assert kept.embedding.shape == (2048,)


@pytest.mark.parametrize(
    "name",
    [
        "張偉",
        "👩🏽‍🚀🇺🇳",
        "ends in spaces  ",
        "  ",
        "\t\n\x00",
        "\u200b",
        "e\u0301 is not é",
        "'; DROP TABLE face_set; --",
        '%s ? \\ " `',
        "😀" * 255,
    ],
)
def test_names_are_stored_byte_for_byte(face_set: FaceSet, name: str) -> None:
    added, renamed = known_face(name=name), known_face()
    face_set.add(added)
    face_set.add(renamed)
    face_set.rename(renamed.token, name)

    for token in (added.token, renamed.token):
        face = face_set.get(token, EMBEDDING_ID)
        assert face is not None
        assert face.name.encode() == name.encode()


def test_tokens_that_differ_only_in_case_are_different(face_set: FaceSet) -> None:
    upper, lower = "A" * 24, "a" * 24
    assert face_set.add(known_face(upper, name="upper"))
    assert face_set.add(known_face(lower, name="lower"))

    face_set.rename(upper, "renamed")
    face_set.remove(lower)

    face = face_set.get(upper, EMBEDDING_ID)
    assert face is not None
    assert face.name == "renamed"
    assert face_set.get(lower, EMBEDDING_ID) is None


def test_many_faces_are_returned_by_their_tokens(
    face_set: FaceSet, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    faces = [known_face(seed=n) for n in range(2 * MAX_TOKENS_PER_STATEMENT + 1)]
    for start in range(0, len(faces), MAX_FACES_PER_ADDITION):
        face_set.add_many(faces[start : start + MAX_FACES_PER_ADDITION])
    statements: list[str] = []
    read = database.read

    def counted(sql: str, parameters: Parameters = ()) -> list[Row]:
        statements.append(sql)
        return read(sql, parameters)

    monkeypatch.setattr(database, "read", counted)
    found = face_set.get_many([new_token(), *(face.token for face in faces)], EMBEDDING_ID)

    assert len(statements) == 3
    assert found.keys() == {face.token for face in faces}
    for face in faces:
        np.testing.assert_array_equal(found[face.token].embedding, face.embedding)
    assert face_set.get_many([], EMBEDDING_ID) == face_set.get_many([new_token()], EMBEDDING_ID) == {}


def test_faces_are_found_by_the_index_of_their_tokens(face_set: FaceSet, database: Database) -> None:
    faces = [known_face(seed=n) for n in range(MAX_FACES_PER_ADDITION)]
    face_set.add_many(faces)

    assert rows_read(database, lambda: face_set.get_many([face.token for face in faces[::100]], EMBEDDING_ID)) <= 40


def test_faces_under_another_model_are_not_returned(face_set: FaceSet) -> None:
    face_set.add(known_face("T" * 24))

    with pytest.raises(ModelChangedError):
        face_set.get_many(["T" * 24], "another-model")


def test_adding_a_token_again_only_renames(face_set: FaceSet) -> None:
    face_set.add(known_face("T" * 24, name="first", seed=1))

    assert face_set.add(known_face("T" * 24, name="second", seed=2)) is False

    face = face_set.get("T" * 24, EMBEDDING_ID)
    assert face is not None
    assert (face.name, face.crop) == ("second", "1.jpg")
    assert (face_set.count(), face_set.version()) == (1, 1)


def test_renaming_returns_whether_the_token_exists(face_set: FaceSet) -> None:
    face = known_face(name="same")
    face_set.add(face)

    assert face_set.rename(face.token, "same") is True
    assert face_set.rename(new_token(), "same") is False


def test_removing_returns_the_crop_once(face_set: FaceSet) -> None:
    face = known_face(seed=5)
    face_set.add(face)

    assert face_set.remove(face.token) == "5.jpg"
    assert face_set.remove(face.token) is None
    assert face_set.get(face.token, EMBEDDING_ID) is None
    assert (face_set.count(), face_set.version()) == (0, 2)


def test_the_id_of_a_removed_face_is_not_reused(face_set: FaceSet, database: Database) -> None:
    first = known_face()
    face_set.add(first)
    removed = all_ids(database)
    face_set.remove(first.token)
    face_set.add(known_face())

    assert all_ids(database).isdisjoint(removed)


def test_vectors_are_returned_for_a_range_of_ids(face_set: FaceSet) -> None:
    for _ in range(6):
        face_set.add(known_face())
    ids = sorted(row.id for row in face_set.vectors(0, 2**62))

    assert sorted(row.id for row in face_set.vectors(ids[1], ids[4])) == ids[1:4]


def test_any_number_of_rows_is_fetched_by_id(face_set: FaceSet, database: Database) -> None:
    number = 2 * MAX_IDS_PER_STATEMENT + 1
    faces = [known_face(seed=n, name=f"name {n}") for n in range(number)]
    for start in range(0, number, MAX_FACES_PER_ADDITION):
        face_set.add_many(faces[start : start + MAX_FACES_PER_ADDITION])
    ids = np.array([*all_ids(database), 10**9], np.int64)

    found = face_set.fetch(ids, EMBEDDING_ID)

    assert {row.id for row in found} == all_ids(database)
    by_token = {row.token: row for row in found}
    for face in faces:
        assert by_token[face.token].name == face.name
        np.testing.assert_array_equal(by_token[face.token].embedding, face.embedding)
    assert face_set.fetch([], EMBEDDING_ID) == []
