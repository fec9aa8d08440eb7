"""A program written with a generated client: `python client_program.py URL PICTURE` walks through the service.

test_client.py checks this file with mypy against the client, and runs it.
"""

from __future__ import annotations

import sys
from base64 import b64encode
from io import BytesIO
from pathlib import Path
from typing import TypeVar

from face_search_client import AuthenticatedClient
from face_search_client.api.face_sets import create_face_set, delete_face_set, list_face_sets
from face_search_client.api.faces import add_face_by_form, get_crop, get_face, list_faces, remove_face, rename_face
from face_search_client.api.search import compare, detect, group_faces, search_by_picture, search_by_token
from face_search_client.api.service import health, info
from face_search_client.models import (
    AddFaceByFormFilesBody,
    CompareFilesBody,
    CreateFaceSetDataBody,
    DetectFilesBody,
    DetectJsonBody,
    Error,
    ErrorErrorCode,
    GroupFacesFilesBody,
    GroupFacesJsonBody,
    RenameFaceJsonBody,
    SearchByPictureFilesBody,
    SearchByPictureFilesBodyGroup,
    SearchByPictureJsonBody,
)
from face_search_client.types import File

Reply = TypeVar("Reply")


def given(reply: Reply | Error | None) -> Reply:
    assert reply is not None
    assert not isinstance(reply, Error), reply.detail
    return reply


def walk(client: AuthenticatedClient, picture: bytes) -> None:
    def file() -> File:
        return File(payload=BytesIO(picture), file_name="picture.jpg", mime_type="image/jpeg")

    assert given(health.sync(client=client)).status == "ok"
    assert given(info.sync(client=client)).faces == 0
    assert given(create_face_set.sync(client=client, body=CreateFaceSetDataBody(face_set="staff"))).created

    [face] = given(detect.sync(client=client, body=DetectFilesBody(image_file=file()))).faces
    assert face.quality.reasons == []
    token = face.face_token
    added = AddFaceByFormFilesBody(face_token=token, face_name="Ada Lovelace", face_set="staff")
    assert given(add_face_by_form.sync(client=client, body=added)).face_name == "Ada Lovelace"

    searched = SearchByPictureFilesBody(
        image_file=file(), threshold=0.65, face_set="staff", group=SearchByPictureFilesBodyGroup.NAME
    )
    found = given(search_by_picture.sync(client=client, body=searched))
    [match] = found.cmp_result
    assert (match.face_token, match.distance, match.faces, found.truncated) == (token, 0, 1, False)
    in_base64 = b64encode(picture).decode()
    [again] = given(detect.sync(client=client, body=DetectJsonBody(image_base64=in_base64))).faces
    assert (again.top_left, again.bottom_right) == (face.top_left, face.bottom_right)
    as_json = SearchByPictureJsonBody(image_base64=in_base64, threshold=0.65, face_set="staff")
    assert [match.face_token for match in given(search_by_picture.sync(client=client, body=as_json)).cmp_result] == [
        token
    ]
    other = found.face_token
    by_token = given(search_by_token.sync(client=client, face_token=other, threshold=0.65, face_set="staff"))
    assert [match.face_name for match in by_token.cmp_result] == ["Ada Lovelace"]

    compared = given(compare.sync(client=client, body=CompareFilesBody(image_file1=file(), face_token2=token)))
    assert compared.distance == 0
    assert all(compared.same_person.additional_properties.values())

    for body in (GroupFacesJsonBody(face_tokens=[token, other]), GroupFacesFilesBody(face_tokens=[token, other])):
        assert given(group_faces.sync(client=client, body=body)).groups == [[token, other]]

    page = given(list_faces.sync(client=client, face_set="staff", name="ada"))
    assert ([known.face_token for known in page.faces], page.next_cursor) == ([token], None)
    renamed = given(rename_face.sync(client=client, face_token=token, body=RenameFaceJsonBody(face_name="Ada King")))
    assert renamed == given(get_face.sync(client=client, face_token=token))
    assert renamed.face_name == "Ada King"
    assert renamed.added_at.tzinfo is not None
    assert get_crop.sync_detailed(client=client, face_token=token).content.startswith(b"\xff\xd8\xff")

    assert given(remove_face.sync(client=client, face_token=token)).face_token == token
    refused = remove_face.sync(client=client, face_token=token)
    assert isinstance(refused, Error)
    assert refused.error_code == ErrorErrorCode.VALUE_5
    assert given(delete_face_set.sync(client=client, face_set="staff")).done
    assert [one.face_set for one in given(list_face_sets.sync(client=client)).face_sets] == ["default"]


if __name__ == "__main__":
    url, path = sys.argv[1:]
    # Local services do not need a key, and ignore one.
    key = AuthenticatedClient(base_url=url, token="key", prefix="", auth_header_name="x-api-key")
    walk(key, Path(path).read_bytes())
