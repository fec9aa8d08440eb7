"""The contract for requests without a body, HEAD requests and text arguments, over any transport.

The fixture `api` chooses the transport.
"""

from __future__ import annotations

import pytest

from chalicelib.api.openapi.document import openapi
from tests.e2e import pictures
from tests.e2e.api import Api
from tests.e2e.refusals import TOKEN, UNKNOWN_TYPE, assert_refused, bad_argument, missing_argument

CONTENT_TYPES = (
    None,
    "",
    "application/json",
    "application/x-www-form-urlencoded",
    "application/octet-stream",
    "text/plain;charset=UTF-8",
    "multipart/form-data",
    "multipart/form-data; boundary=b",
)
DECOMPOSED = "Jose\N{COMBINING ACUTE ACCENT}"
LOST = "\N{REPLACEMENT CHARACTER}"
# A method, a path, a parameter to test, and the other arguments that the route needs.
TEXT_PARAMETERS = [
    ("GET", "/search", "face_token", {"threshold": "1"}),
    ("GET", "/search", "threshold", {"face_token": TOKEN}),
    *(("GET", "/search", name, {"face_token": TOKEN, "threshold": "1"}) for name in ("limit", "face_set", "group")),
    *(("GET", "/addface", name, {"face_token": TOKEN}) for name in ("face_name", "face_set", "quality_filter")),
    ("GET", "/removeface", "face_token", {}),
    *(("GET", "/faces", name, {}) for name in ("name", "cursor", "limit", "face_set")),
    ("PUT", f"/faces/{TOKEN}", "face_name", {}),
    ("POST", "/addface", "face_name", {"face_token": TOKEN}),
    ("POST", "/face_sets", "face_set", {}),
    ("POST", "/compare", "face_token1", {}),
    ("POST", "/compare", "face_token2", {"face_token1": TOKEN}),
]
CROP = "/faces/{face_token}/crop"
READING = sorted(path for path, operations in openapi()["paths"].items() if "head" in operations)


class PlainRequests:
    @pytest.mark.parametrize("content_type", CONTENT_TYPES)
    @pytest.mark.parametrize("body", [None, b""])
    def test_a_request_without_a_body_needs_no_form(
        self, api: Api, content_type: str | None, body: bytes | None
    ) -> None:
        token = api.token(pictures.drawing())

        def answer(method: str, path: str, **arguments: str) -> int:
            return api.send(method, path, list(arguments.items()), content_type, body).status

        assert answer("POST", "/addface", face_token=token, face_name="Ada") == 200
        assert answer("PUT", f"/faces/{token}", face_name="Augusta") == 200
        assert api.get(f"/faces/{token}").body["face_name"] == "Augusta"
        assert answer("POST", "/compare", face_token1=token, face_token2=token) == 200
        assert answer("POST", "/face_sets", face_set="staff") == 200
        assert answer("POST", "/removeface", face_token=token) == 200
        for path in ("/detect", "/search"):
            reply = api.send("POST", path, [("threshold", "1")], content_type, body)
            assert_refused(reply, 400, UNKNOWN_TYPE)
        assert_refused(api.send("POST", "/addface", [], content_type, body), 400, missing_argument("face_token"))

    @pytest.mark.parametrize(
        ("path", "known"), [(path, known) for path in READING for known in (True, False) if path != CROP or not known]
    )
    def test_head_answers_as_get_without_the_body(self, api: Api, path: str, known: bool) -> None:
        token = api.added(pictures.drawing(), "Ada") if known else TOKEN
        path = path.replace("{face_token}", token)
        query = [("face_token", token), ("threshold", "1")] if path == "/search" else []

        get, head = (api.send(method, path, query) for method in ("GET", "HEAD"))

        assert (head.status, head.text) == (get.status, "")
        assert {**head.headers, "date": ""} == {**get.headers, "date": ""}

    @pytest.mark.parametrize("path", ["/addface", "/removeface"])
    def test_head_changes_nothing(self, api: Api, path: str) -> None:
        token = api.added(pictures.drawing(), "Ada")

        reply = api.carry("HEAD", path, [("face_token", token), ("face_name", "Eve")], None, None)

        assert (reply.status, reply.text, reply.headers["allow"]) == (405, "", "GET, POST")
        assert api.get(f"/faces/{token}").body["face_name"] == "Ada"

    @pytest.mark.parametrize(("method", "path", "parameter", "others"), TEXT_PARAMETERS)
    def test_text_with_replacement_characters_is_refused(
        self, api: Api, method: str, path: str, parameter: str, others: dict[str, str]
    ) -> None:
        """API Gateway and the local server replace an escape that is not UTF-8 with U+FFFD."""
        expected = bad_argument(f"{parameter} must be UTF-8 text")

        assert_refused(api.send(method, path, [*others.items(), (parameter, f"Jos{LOST}")]), 400, expected)
        if method == "POST":
            assert_refused(api.post(path, (parameter, f"Jos{LOST}"), *others.items()), 400, expected)

    @pytest.mark.parametrize("name", ["Ada", "%41da", "%", "%E9", "é"])
    def test_a_path_may_be_escaped(self, api: Api, name: str) -> None:
        token = api.added(pictures.drawing(), "Ada")

        assert api.get(f"/faces/%{ord(token[0]):02X}{token[1:]}").body["face_token"] == token
        reply = api.carry("DELETE", f"/face_sets/{name}", [], None, None)
        assert reply.status == (404 if name in ("Ada", "%41da") else 400)

    def test_a_name_in_two_unicode_forms_is_one_person(self, api: Api) -> None:
        composed = api.added(pictures.drawing(), "José")
        decomposed = api.added(pictures.drawing(), DECOMPOSED)

        assert api.get(f"/faces/{decomposed}").body["face_name"] == "José"
        result = api.search(composed, group="name")
        assert [(match["face_name"], match["faces"]) for match in result["cmp_result"]] == [("José", 1)]
        [person] = api.search_picture(pictures.drawing(), group="name")["cmp_result"]
        assert (person["face_name"], person["faces"]) == ("José", 2)
        for beginning in ("José", DECOMPOSED, DECOMPOSED.upper()):
            found = api.get("/faces", name=beginning).body["faces"]
            assert [face["face_token"] for face in found] == [composed, decomposed]

    @pytest.mark.parametrize("name", [" ", "\t\n", "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}"])
    def test_a_name_of_white_space_counts_as_absent(self, api: Api, name: str) -> None:
        token = api.added(pictures.drawing(), name)

        assert api.get(f"/faces/{token}").body["face_name"] == "unknown"
        assert_refused(api.put(f"/faces/{token}", face_name=name), 400, missing_argument("face_name"))
        assert [face["face_token"] for face in api.get("/faces", name=name).body["faces"]] == [token]
