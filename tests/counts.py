"""Compare the stored counts of all face sets and people with the rows."""

from __future__ import annotations

from collections import Counter

from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.folded_name import fold, is_person, without_accents


def assert_counts_are_right(database: Database) -> None:
    counted = sorted(database.read("SELECT set_id, faces FROM face_set_count WHERE faces <> 0"))
    rows = sorted(database.read("SELECT set_id, COUNT(*) FROM face_set GROUP BY set_id"))
    assert counted == rows
    named = database.read("SELECT set_id, face_name, folded FROM face_set")
    assert [bytes(folded) for _, _, folded in named] == [fold(name) for _, name, _ in named]
    people = Counter((set_id, bytes(folded)) for set_id, _, folded in named if is_person(bytes(folded)))
    kept = database.read("SELECT set_id, folded, faces, name, plain FROM face_set_person")
    assert {(set_id, bytes(folded)): faces for set_id, folded, faces, _, _ in kept} == people
    links = database.read(
        "SELECT theirs.face_id, person.set_id, person.folded FROM face_set_person_face AS theirs "
        "LEFT JOIN face_set_person AS person ON person.id = theirs.person_id"
    )
    faces = database.read("SELECT id, set_id, folded FROM face_set")
    assert sorted(links) == sorted(face for face in faces if is_person(bytes(face[2])))
    assert all(bytes(folded) == fold(name) for _, folded, _, name, _ in kept)
    assert all(bytes(plain) == without_accents(name.strip()) for _, _, _, name, plain in kept)
