"""Lists of known faces go on from page to page without a gap and without a repetition."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chalicelib.faces import DEFAULT_SET, DEFAULT_SET_ID
from chalicelib.service import cursors
from chalicelib.service.known_faces import KnownFaces
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.face_listing import FaceListing
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from tests.examples import known_face

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.mark.parametrize("beginning", ["", "a"])
def test_pages_have_each_face_of_their_set_once(database: Database, s3: S3Client, beginning: str) -> None:
    face_set, names, listing = FaceSet(database), FaceSetNames(database), FaceListing(database)
    known_faces = KnownFaces(listing, names, face_set, CropStore(s3, "no-bucket"), deployed=False)
    names.create("staff")
    sets = {DEFAULT_SET: DEFAULT_SET_ID, "staff": names.id_of("staff")}
    expected: dict[str, list[str]] = {name: [] for name in sets}
    for seed in range(5):
        for name, set_id in sets.items():
            face = known_face(seed=seed)._replace(set_id=set_id)
            face_set.add(face)
            expected[name].append(face.token)

    for name, tokens in expected.items():
        found: list[str] = []
        after: int | None = 0
        while after is not None:
            page = known_faces.page(name, after, 2, beginning)
            found += [face.token for face in page.faces]
            [after] = (None,) if page.next_cursor is None else cursors.decode(page.next_cursor) or (None,)
        assert found == tokens
