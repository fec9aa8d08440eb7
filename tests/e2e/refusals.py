"""The contract's errors, word for word, over any transport.

The fixture `api` chooses the transport.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import pictures
from tests.e2e.api import Api, Reply, form

TOKEN = "A" * 24
ARABIC_0 = "\N{ARABIC-INDIC DIGIT ZERO}"  # a digit for str.isdecimal() and float(), but not in the contract
MAX_IMAGE_BYTES = 2_097_152


def failure(code: str, message: str, detail: str) -> dict[str, Any]:
    return {"sucess": False, "success": False, "error_code": code, "error_msg": message, "detail": detail}


def bad_argument(detail: str) -> dict[str, Any]:
    return failure("1001", "BAD_ARGUMENTS", detail)


def missing_argument(name: str) -> dict[str, Any]:
    return failure("1002", "MISSING_ARGUMENTS", f"{name} is required")


def file_error(detail: str) -> dict[str, Any]:
    return failure("1004", "FIlE_ERROR", detail)


def upload_error(detail: str) -> dict[str, Any]:
    return failure("1005", "UPLOAD_ERROR", detail)


BAD_TOKEN = bad_argument("face_token must be 24 letters and digits")
BAD_THRESHOLD = bad_argument("threshold must be a finite number of at least 0, such as 0.65")
BAD_LIMIT = bad_argument("limit must be a whole number from 1 to 10000")
UNKNOWN_TYPE = upload_error(
    "the body must be multipart/form-data, application/x-www-form-urlencoded or application/json"
)
NO_PICTURE = missing_argument("image_file or image_base64")
NO_BOUNDARY = upload_error("the multipart boundary is missing or not valid")
CUT_OFF_FORM = upload_error("the multipart body is malformed or cut off")
BROKEN_PICTURE = file_error("the picture is broken or cut off")
TOO_MANY_BYTES = file_error("the picture may have at most 2097152 bytes")
UNKNOWN_TOKEN = failure("1006", "FACE_TOKEN_ERROR", "the face_token is unknown or has expired")
NO_FACE = failure("1007", "FACE_INFO_ERROR", "no face of at least 30 x 30 px was found in the image")
# 1003 needs a failing store: see test_failing_stores.py.
UNREACHABLE = failure("1003", "INTERNAL_ERROR", "a store cannot be reached at the moment; try again")
INTERNAL = failure("1003", "INTERNAL_ERROR", "the server failed; the fault is logged under this request's id")


def assert_refused(reply: Reply, status: int, body: dict[str, Any]) -> None:
    assert (reply.status, reply.body) == (status, body)
    assert reply.headers["content-type"] == "application/json"
    assert "retry-after" not in reply.headers


class Refusals:
    def test_1001(self, api: Api) -> None:
        reply = api.get("/search", face_token="no-token", threshold="0.65")

        assert reply.status == 400
        assert reply.body == {
            "sucess": False,
            "success": False,
            "error_code": "1001",
            "error_msg": "BAD_ARGUMENTS",
            "detail": "face_token must be 24 letters and digits",
        }

    def test_1002(self, api: Api) -> None:
        reply = api.get("/search", threshold="0.65")

        assert reply.status == 400
        assert reply.body == {
            "sucess": False,
            "success": False,
            "error_code": "1002",
            "error_msg": "MISSING_ARGUMENTS",
            "detail": "face_token is required",
        }

    def test_1004(self, api: Api) -> None:
        reply = api.post("/detect", image_file=b"GIF89a" + bytes(100))

        assert reply.status == 415
        assert reply.body == {
            "sucess": False,
            "success": False,
            "error_code": "1004",
            "error_msg": "FIlE_ERROR",
            "detail": "the file is neither a JPEG nor a PNG",
        }

    def test_1005(self, api: Api) -> None:
        reply = api.send("POST", "/detect", content_type="text/plain", body=b"{}")

        assert reply.status == 400
        assert reply.body == {
            "sucess": False,
            "success": False,
            "error_code": "1005",
            "error_msg": "UPLOAD_ERROR",
            "detail": "the body must be multipart/form-data, application/x-www-form-urlencoded or application/json",
        }

    def test_1006(self, api: Api) -> None:
        reply = api.get("/search", face_token=TOKEN, threshold="0.65")

        assert reply.status == 404
        assert reply.body == {
            "sucess": False,
            "success": False,
            "error_code": "1006",
            "error_msg": "FACE_TOKEN_ERROR",
            "detail": "the face_token is unknown or has expired",
        }

    def test_a_quality_filter_that_does_not_exist(self, api: Api) -> None:
        reply = api.get("/addface", face_token=TOKEN, quality_filter="high")

        assert_refused(reply, 400, bad_argument("quality_filter must be one of none, auto"))

    def test_1007(self, api: Api) -> None:
        reply = api.post("/search", image_file=pictures.cat(), threshold="0.65")

        assert reply.status == 422
        assert reply.body == {
            "sucess": False,
            "success": False,
            "error_code": "1007",
            "error_msg": "FACE_INFO_ERROR",
            "detail": "no face of at least 30 x 30 px was found in the image",
        }

    @pytest.mark.parametrize(
        ("path", "arguments", "body"),
        [
            ("/search", {}, missing_argument("face_token")),
            ("/search", {"face_token": "", "threshold": "0.65"}, missing_argument("face_token")),
            ("/search", {"face_token": TOKEN}, missing_argument("threshold")),
            ("/search", {"face_token": TOKEN, "threshold": ""}, missing_argument("threshold")),
            ("/search", {"face_token": "no", "threshold": ""}, BAD_TOKEN),
            ("/addface", {}, missing_argument("face_token")),
            ("/addface", {"face_name": "Ada"}, missing_argument("face_token")),
            ("/addface", {"face_token": ""}, missing_argument("face_token")),
            ("/removeface", {}, missing_argument("face_token")),
            ("/removeface", {"face_token": ""}, missing_argument("face_token")),
        ],
    )
    def test_a_required_argument(self, api: Api, path: str, arguments: dict[str, str], body: dict[str, Any]) -> None:
        assert_refused(api.get(path, **arguments), 400, body)

    @pytest.mark.parametrize("path", ["/search", "/addface", "/removeface"])
    @pytest.mark.parametrize(
        "token",
        ["A" * 23, "A" * 25, "A" * 23 + "-", "A" * 23 + "é", "1" * 23 + ARABIC_0, " " + TOKEN, TOKEN + "\n", "%"],
    )
    def test_a_malformed_token(self, api: Api, path: str, token: str) -> None:
        assert_refused(api.get(path, face_token=token, threshold="0.65"), 400, BAD_TOKEN)

    @pytest.mark.parametrize("path", ["/search", "/addface", "/removeface"])
    def test_an_unknown_token(self, api: Api, path: str) -> None:
        assert_refused(api.get(path, face_token=TOKEN, threshold="0.65"), 404, UNKNOWN_TOKEN)

    @pytest.mark.parametrize(
        "threshold",
        [
            *("nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-1", "-0.0", "--1", "+1"),
            *(" 0.65", "0.65 ", "0.65\n", "0,65", "0.65;", "0x1", "1_0", "e1", ".", "1e", "true", ARABIC_0, "¼"),
            *("1" * 65, "0." + "0" * 63),
        ],
    )
    def test_a_malformed_or_negative_threshold(self, api: Api, threshold: str) -> None:
        assert_refused(api.get("/search", face_token=TOKEN, threshold=threshold), 400, BAD_THRESHOLD)
        assert_refused(api.post("/search", image_file=pictures.cat(), threshold=threshold), 400, BAD_THRESHOLD)

    @pytest.mark.parametrize("limit", ["0", "-1", "10001", "1.0", "1e3", " 1", "ten", "1" + ARABIC_0, "1" * 5000])
    def test_a_limit_that_is_out_of_range(self, api: Api, limit: str) -> None:
        assert_refused(api.get("/search", face_token=TOKEN, threshold="0.65", limit=limit), 400, BAD_LIMIT)

    def test_the_largest_limit_is_accepted(self, api: Api) -> None:
        assert_refused(api.get("/search", face_token=TOKEN, threshold="0.65", limit="10000"), 404, UNKNOWN_TOKEN)

    @pytest.mark.parametrize("character", ["a", "é", "\N{ROCKET}"])
    def test_a_name_of_256_characters(self, api: Api, character: str) -> None:
        reply = api.get("/addface", face_token=TOKEN, face_name=character * 256)

        assert_refused(reply, 400, bad_argument("face_name must have at most 255 characters"))

    @pytest.mark.parametrize(
        ("path", "name", "value"),
        [
            ("/search", "face_token", TOKEN),
            ("/search", "threshold", "0.65"),
            ("/search", "limit", "1"),
            ("/addface", "face_token", TOKEN),
            ("/addface", "face_name", "Ada"),
            ("/removeface", "face_token", TOKEN),
        ],
    )
    def test_an_argument_that_is_given_twice(self, api: Api, path: str, name: str, value: str) -> None:
        arguments = {"face_token": TOKEN, "threshold": "0.65", name: value}

        reply = api.get(path, (name, value), **arguments)

        assert_refused(reply, 400, bad_argument(f"{name} is given more than once"))

    def test_an_argument_that_is_in_the_query_and_in_the_form(self, api: Api) -> None:
        reply = api.post("/search", image_file=pictures.cat(), threshold="0.65", query=[("threshold", "0.65")])

        assert_refused(reply, 400, bad_argument("threshold is given more than once"))

    def test_two_pictures(self, api: Api) -> None:
        picture = ("image_file", pictures.drawing())

        reply = api.post("/detect", picture, picture)

        assert_refused(reply, 400, bad_argument("image_file is given more than once; one picture is accepted"))

    @pytest.mark.parametrize("path", ["/detect", "/search"])
    @pytest.mark.parametrize("fields", [{}, {"image_file": b""}, {"image": b"another name"}])
    def test_no_picture(self, api: Api, path: str, fields: dict[str, bytes]) -> None:
        assert_refused(api.post(path, *fields.items(), threshold="0.65"), 400, NO_PICTURE)

    def test_a_form_without_a_threshold(self, api: Api) -> None:
        assert_refused(api.post("/search", image_file=pictures.cat()), 400, missing_argument("threshold"))

    def test_a_form_value_that_is_not_utf_8(self, api: Api) -> None:
        reply = api.post("/search", image_file=pictures.cat(), threshold=b"\xff")

        assert_refused(reply, 400, bad_argument("threshold must be UTF-8 text"))

    @pytest.mark.parametrize(
        ("picture", "status", "body"),
        [
            pytest.param(b"text", 415, file_error("the file is neither a JPEG nor a PNG"), id="text"),
            pytest.param(pictures.astronaut()[:-2], 400, BROKEN_PICTURE, id="JPEG without its end"),
            pytest.param(pictures.astronaut()[:9000], 400, BROKEN_PICTURE, id="half a JPEG"),
            pytest.param(pictures.astronaut_png()[:9000], 400, BROKEN_PICTURE, id="half a PNG"),
            pytest.param(b"\xff\xd8\xff", 400, BROKEN_PICTURE, id="beginning of a JPEG"),
            pytest.param(
                pictures.blank(47, 48),
                400,
                file_error("the picture's sides must be 48 to 4096 px; it is 47 x 48"),
                id="too narrow",
            ),
            pytest.param(
                pictures.blank(48, 4097),
                400,
                file_error("the picture's sides must be 48 to 4096 px; it is 48 x 4097"),
                id="too high",
            ),
            pytest.param(
                pictures.padded(pictures.astronaut(), MAX_IMAGE_BYTES + 1), 413, TOO_MANY_BYTES, id="a byte too many"
            ),
            pytest.param(bytes(MAX_IMAGE_BYTES + 100_000), 413, TOO_MANY_BYTES, id="more than the form may have"),
        ],
    )
    def test_a_file_that_is_no_acceptable_picture(
        self, api: Api, picture: bytes, status: int, body: dict[str, Any]
    ) -> None:
        assert_refused(api.post("/detect", image_file=picture), status, body)
        assert_refused(api.post("/search", image_file=picture, threshold="0.65"), status, body)

    @pytest.mark.parametrize(
        "picture",
        [
            pytest.param(pictures.padded(pictures.astronaut(), MAX_IMAGE_BYTES), id="most bytes"),
            pytest.param(pictures.blank(48, 4096), id="highest"),
            pytest.param(pictures.blank(48, 48), id="smallest"),
        ],
    )
    def test_a_picture_that_is_just_acceptable(self, api: Api, picture: bytes) -> None:
        assert api.post("/detect", image_file=picture).status == 200

    @pytest.mark.parametrize("path", ["/detect", "/search"])
    @pytest.mark.parametrize(
        ("content_type", "body"),
        [
            (None, UNKNOWN_TYPE),
            ("", UNKNOWN_TYPE),
            ("application/json", upload_error("the JSON is malformed or cut off")),
            ("application/x-www-form-urlencoded", NO_PICTURE),
            ("text/plain", UNKNOWN_TYPE),
            ("image/jpeg", UNKNOWN_TYPE),
            ("multipart/mixed; boundary=b", UNKNOWN_TYPE),
            ("multipart/form-data", NO_BOUNDARY),
            ("multipart/form-data; boundary=", NO_BOUNDARY),
            ("multipart/form-data; boundary=" + "b" * 201, NO_BOUNDARY),
            ("multipart/form-data; boundary=another", CUT_OFF_FORM),
        ],
    )
    def test_a_wrong_content_type(self, api: Api, path: str, content_type: str | None, body: dict[str, Any]) -> None:
        sent = b'--b\r\nContent-Disposition: form-data; name="image_file"\r\n\r\npicture\r\n--b--\r\n'

        assert_refused(api.send("POST", path, content_type=content_type, body=sent), 400, body)

    @pytest.mark.parametrize("keep", [0.001, 0.3, 0.9, 0.999])
    def test_a_form_that_is_cut_off(self, api: Api, keep: float) -> None:
        content_type, body = form(("image_file", pictures.drawing()))

        reply = api.send("POST", "/detect", content_type=content_type, body=body[: int(len(body) * keep)])

        assert_refused(reply, 400, CUT_OFF_FORM)

    def test_a_form_of_too_many_parts(self, api: Api) -> None:
        reply = api.post("/detect", *[(f"field{number}", "") for number in range(17)])

        assert_refused(reply, 400, upload_error("the form has more than 16 parts, or headers that are too long"))

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("GET", "/detect", "POST"),
            ("DELETE", "/detect", "POST"),
            ("PUT", "/search", "GET, HEAD, POST"),
            ("PUT", "/addface", "GET, POST"),
            ("DELETE", "/removeface", "GET, POST"),
        ],
    )
    def test_a_wrong_method(self, api: Api, method: str, path: str, allowed: str) -> None:
        reply = api.send(method, path, content_type="multipart/form-data; boundary=b", body=b"--b--\r\n")

        assert_refused(reply, 405, bad_argument("this address does not accept that method"))
        assert reply.headers["allow"] == allowed
