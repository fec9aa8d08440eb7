"""The contract for bodies other than multipart forms, and for pictures in base64, over any transport.

The fixture `api` chooses the transport.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e import pictures
from tests.e2e.api import Api, Reply, names
from tests.e2e.refusals import (
    MAX_IMAGE_BYTES,
    NO_PICTURE,
    TOKEN,
    TOO_MANY_BYTES,
    assert_refused,
    bad_argument,
    failure,
    file_error,
    upload_error,
)

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
MALFORMED = upload_error("the JSON is malformed or cut off")
NOT_UTF_8 = upload_error("the JSON must be UTF-8")
TOO_MUCH = upload_error("the JSON has more than 100 opening brackets, or 4096 commas")


def as_base64(file: bytes) -> str:
    return base64.b64encode(file).decode()


def sent(api: Api, carrier: str, path: str, **members: Any) -> Reply:
    """Send members as JSON, as a URL-encoded form, or as a multipart form."""
    if carrier == JSON:
        return api.post_json(path, members)
    if carrier == FORM:
        return api.send("POST", path, content_type=FORM, body=urlencode(members).encode())
    return api.post(path, *((name, str(value)) for name, value in members.items()))


def without_tokens(reply: Reply) -> list[dict[str, Any]]:
    assert reply.status == 200, reply.text
    own = ("face_token", "face_name")
    return [{name: value for name, value in face.items() if name not in own} for face in reply.body["faces"]]


class Carriers:
    @pytest.mark.parametrize("carrier", [JSON, FORM, "multipart/form-data"])
    def test_a_face_by_base64_from_its_detection_to_its_removal(self, api: Api, carrier: str) -> None:
        picture = as_base64(pictures.astronaut())
        detected = sent(api, carrier, "/detect", image_base64=picture)
        assert without_tokens(detected) == without_tokens(api.post("/detect", image_file=pictures.astronaut()))
        [face] = detected.body["faces"]
        token = face["face_token"]

        assert sent(api, carrier, "/face_sets", face_set="staff").body["created"]
        name = "Zoë \N{ROCKET} & + %41 = \\u0041"
        assert sent(api, carrier, "/addface", face_token=token, face_name=name, face_set="staff").status == 200
        found = sent(api, carrier, "/search", image_base64=picture, threshold=0.65, limit=5, face_set="staff").body
        assert (names(found), found["threshold"]) == ([name], "0.65")
        compared = sent(api, carrier, "/compare", image_base64_1=picture, face_token2=token).body
        assert (compared["distance"], compared["face2"]) == (0, {"face_token": token})
        assert sent(api, carrier, "/removeface", face_token=token).status == 200

    def test_renaming_by_json(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")

        reply = api.send(
            "PUT", f"/faces/{token}", content_type=f"{JSON};charset=UTF-8", body=b'{"face_name": "Zo\\u00eb"}'
        )

        assert (reply.status, reply.body["face_name"]) == (200, "Zoë")

    def test_json_numbers_are_text(self, api: Api) -> None:
        body = (
            f'{{"threshold": 00.65, "image_base64": "{as_base64(pictures.drawing())}", "limit": 1, "unknown": [{{}}]}}'
        )

        def search(threshold: str) -> Reply:
            text = body.replace("00.65", threshold)
            return api.send("POST", "/search", content_type=JSON, body=text.encode())

        for threshold in ("0.650", "6.5e-1", "1E+2"):
            assert search(threshold).body["threshold"] == threshold
        assert search('".650"').body["threshold"] == ".650"
        for threshold in ("-0.0", "1e999", "9" * 5_000, "true", '"0x1"'):
            assert search(threshold).body["detail"].startswith("threshold must be a finite number")
        assert search("00.65").body == MALFORMED

    @pytest.mark.parametrize(
        ("body", "refusal"),
        [
            (b" ", MALFORMED),
            (b"{", MALFORMED),
            (b"[1]", upload_error("the JSON must be an object")),
            (b'"image_base64"', upload_error("the JSON must be an object")),
            (b'{"threshold": NaN}', MALFORMED),
            (b'{"threshold": Infinity}', MALFORMED),
            (b'\xef\xbb\xbf{"threshold": 1}', MALFORMED),
            ('{"threshold": 1}'.encode("utf-16-le"), MALFORMED),
            (b'{"a": ' * 100_000 + b"1" + b"}" * 100_000, TOO_MUCH),
            (b"[" * 1_000_000, TOO_MUCH),
            (b'{"a": [' + b"1," * 100_000 + b"1]}", TOO_MUCH),
            (b"{}", NO_PICTURE),
            (b'{"image_base64": null, "image_file": ""}', NO_PICTURE),
            (b'{"image_base64": "%"}', bad_argument("image_base64 must be a file in base64, without spaces")),
            (b'{"image_base64": {"a": 1}}', bad_argument("image_base64 must be a file in base64, without spaces")),
            (b'{"image_base64": 5}', bad_argument("image_base64 must be a file in base64, without spaces")),
            (
                b'{"image_base64": "QQ", "image_base64": "QQ"}',
                bad_argument("image_base64 is given more than once; one picture is accepted"),
            ),
            (
                b'{"image_base64": "QQ", "image_file": "QQ"}',
                bad_argument("send either image_file or image_base64, not both"),
            ),
        ],
        ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
    )
    def test_json_that_is_refused(self, api: Api, body: bytes, refusal: dict[str, Any]) -> None:
        assert_refused(api.send("POST", "/detect", content_type=JSON, body=body), 400, refusal)

    def test_json_in_another_charset(self, api: Api) -> None:
        for charset in ("latin-1", "utf-16", "no-such"):
            reply = api.send("POST", "/addface", content_type=f"{JSON}; charset={charset}", body=b"{}")
            assert_refused(reply, 400, NOT_UTF_8)

    @pytest.mark.parametrize(
        ("value", "detail"),
        [
            (b'{"a": 1}', "face_name must be text, a number or a boolean"),
            (b"[[]]", "face_name must be text, a number or a boolean"),
            (b'["Ada", "Zo\xc3\xab"]', "face_name is given more than once"),
            (b'"\\ud800"', "face_name must be UTF-8 text"),
            (b'"\\ufffd"', "face_name must be UTF-8 text"),
        ],
    )
    def test_a_json_value_that_is_not_text(self, api: Api, value: bytes, detail: str) -> None:
        body = b'{"face_token": "%b", "face_name": %b}' % (TOKEN.encode(), value)

        assert_refused(api.send("POST", "/addface", content_type=JSON, body=body), 400, bad_argument(detail))

    def test_text_that_is_not_utf_8(self, api: Api) -> None:
        for body in (b"face_token=x&face_name=%FF", b"face_token=x&face_name=\xff"):
            reply = api.send("POST", "/addface", [], FORM, body.replace(b"=x", b"=" + TOKEN.encode()))
            assert_refused(reply, 400, bad_argument("face_name must be UTF-8 text"))

    def test_a_form_of_too_many_fields(self, api: Api) -> None:
        reply = api.send("POST", "/addface", content_type=FORM, body=b"a=1&" * 16 + b"b=1")

        assert_refused(reply, 400, upload_error("the form has more than 16 fields"))

    @pytest.mark.parametrize("carrier", [JSON, FORM, "multipart/form-data"])
    def test_a_picture_of_the_most_bytes_in_base64(self, api: Api, carrier: str) -> None:
        largest = pictures.padded(pictures.astronaut(), MAX_IMAGE_BYTES)

        assert sent(api, carrier, "/detect", image_base64=as_base64(largest)).body["face_num"] == 1
        assert_refused(sent(api, carrier, "/detect", image_base64=as_base64(largest + b"\0")), 413, TOO_MANY_BYTES)

    def test_two_pictures_of_the_most_bytes_in_base64(self, api: Api) -> None:
        largest = as_base64(pictures.padded(pictures.astronaut(), MAX_IMAGE_BYTES))
        both = {"image_base64_1": largest, "image_base64_2": largest}

        assert sent(api, JSON, "/compare", **both).body["distance"] == 0
        refused = sent(api, "multipart/form-data", "/compare", **both)
        detail = "a multipart/form-data body may have at most 4669440 bytes, and each picture 2097152"
        assert_refused(refused, 413, file_error(detail))

    def test_a_refused_picture_is_named(self, api: Api) -> None:
        members = {"image_base64_1": as_base64(pictures.drawing()), "image_base64_2": as_base64(b"\xff\xd8\xff")}

        detail = "image_base64_2: the picture is broken or cut off"
        assert_refused(api.post_json("/compare", members), 400, failure("1004", "FIlE_ERROR", detail))
        both = {**members, "face_token1": TOKEN}
        detail = "send either image_base64_1 or face_token1, not both"
        assert_refused(api.post_json("/compare", both), 400, bad_argument(detail))
