"""The contract for managing known faces, over any transport.

The fixture `api` chooses the transport. Every test starts with an empty face set.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.e2e import pictures
from tests.e2e.api import Api, names, tokens
from tests.e2e.refusals import TOKEN, UNKNOWN_TOKEN, assert_refused, bad_argument, missing_argument
from tests.e2e.shape import shape

BAD_CURSOR = bad_argument("cursor must be the next_cursor of an earlier reply")
BAD_LIMIT = bad_argument("limit must be a whole number from 1 to 1000")


def pages(api: Api, **arguments: str) -> Iterator[list[dict[str, Any]]]:
    """Yield all pages of a list."""
    cursor: str | None = ""
    while cursor is not None:
        reply = api.get("/faces", cursor=cursor, **arguments)
        assert reply.status == 200, reply.text
        yield reply.body["faces"]
        cursor = reply.body["next_cursor"]


def listed(api: Api, **arguments: str) -> list[str]:
    """Return the names of all faces in a list."""
    return [face["face_name"] for page in pages(api, **arguments) for face in page]


class Listing:
    def test_the_fields_of_a_list(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")

        body = api.get("/faces").body

        added_at = body["faces"][0]["added_at"]
        assert body == {
            "sucess": True,
            "success": True,
            "faces": [{"face_token": token, "face_name": "Ada", "face_set": "default", "added_at": added_at}],
            "next_cursor": None,
        }
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", added_at)
        assert datetime.now(UTC) - datetime.fromisoformat(added_at) < timedelta(minutes=10)

    def test_an_empty_list(self, api: Api) -> None:
        assert api.get("/faces").body == {"sucess": True, "success": True, "faces": [], "next_cursor": None}

    def test_pages_are_in_the_order_of_the_additions(self, api: Api) -> None:
        given = [str(number) for number in range(5)]
        for name in given:
            api.added(pictures.drawing(), name)

        assert [len(page) for page in pages(api, limit="2")] == [2, 2, 1]
        assert [len(page) for page in pages(api, limit="5")] == [5]
        assert listed(api, limit="1") == listed(api) == given

    def test_changes_between_pages_move_no_other_face(self, api: Api) -> None:
        first, second, *_ = (api.added(pictures.drawing(), name) for name in "abcd")
        begun = api.get("/faces", limit="2").body

        api.remove(first)
        api.remove(second)
        api.added(pictures.drawing(), "e")

        rest = api.get("/faces", cursor=begun["next_cursor"]).body
        assert [face["face_name"] for face in rest["faces"]] == ["c", "d", "e"]

    def test_names_are_found_by_prefix_ignoring_case(self, api: Api) -> None:
        for name in ("Ada Lovelace", "ADA", "adam", "Bob", "Straße", "Élodie", "a_b", "a%b", "ada\nbyron"):
            api.added(pictures.drawing(), name)

        assert listed(api, name="ada", match="start") == ["Ada Lovelace", "ADA", "adam", "ada\nbyron"]
        assert listed(api, name="Ada ", match="start", limit="1") == ["Ada Lovelace"]
        assert listed(api, name="STRASS", match="start") == ["Straße"]
        assert listed(api, name="éLO", match="start") == ["Élodie"]
        assert listed(api, name="a%", match="start") == ["a%b"]
        assert listed(api, name="a_", match="start") == ["a_b"]
        assert listed(api, name="z", match="start") == []
        assert [len(page) for page in pages(api, name="a", match="start", limit="4")] == [4, 2]

    def test_a_renamed_face_is_found_by_its_new_name_only(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")
        api.add(token, face_name="Grace")

        assert (listed(api, name="ada"), listed(api, name="grace")) == ([], ["Grace"])

        api.send("PUT", f"/faces/{token}", [("face_name", "Hedy")])
        assert (listed(api, name="grace"), listed(api, name="hedy")) == ([], ["Hedy"])

    @pytest.mark.parametrize("cursor", ["x", "AAAAAAAAAAB", "AAAAAAAAAAA=", "_________" + "_8", "A" * 12, "é" * 11])
    def test_a_malformed_cursor(self, api: Api, cursor: str) -> None:
        assert_refused(api.get("/faces", cursor=cursor), 400, BAD_CURSOR)

    @pytest.mark.parametrize("limit", ["0", "1001", "-1", "ten", "1.0"])
    def test_a_limit_that_is_out_of_range(self, api: Api, limit: str) -> None:
        assert_refused(api.get("/faces", limit=limit), 400, BAD_LIMIT)

    def test_a_prefix_that_is_too_long(self, api: Api) -> None:
        assert_refused(api.get("/faces", name="a" * 256), 400, bad_argument("name must have at most 255 characters"))


class OneFace:
    def test_the_fields_of_a_face(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")
        [face] = api.get("/faces").body["faces"]

        body = api.get(f"/faces/{token}").body

        assert body == {"sucess": True, "success": True, **face, "crop_url": body["crop_url"]}
        assert shape(body["crop_url"]) == "str"

    def test_renaming_by_query_or_form(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")

        for name, reply in (
            ("Grace", api.send("PUT", f"/faces/{token}", [("face_name", "Grace")])),
            ("Hedy", api.put(f"/faces/{token}", face_name="Hedy")),
        ):
            assert (reply.status, reply.body["face_name"]) == (200, name)

        # The crop's address may be presigned: it changes with the clock.
        assert reply.body == api.get(f"/faces/{token}").body | {"crop_url": reply.body["crop_url"]}
        assert names(api.search_picture(pictures.drawing())) == ["Hedy"]

    def test_a_new_name_is_required(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")

        for reply in (api.send("PUT", f"/faces/{token}"), api.put(f"/faces/{token}", face_name="")):
            assert_refused(reply, 400, missing_argument("face_name"))
        assert names(api.search_picture(pictures.drawing())) == ["Ada"]

    def test_deleting(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")

        assert api.send("DELETE", f"/faces/{token}").body == {"sucess": True, "success": True, "face_token": token}

        assert tokens(api.search_picture(pictures.drawing())) == []
        assert api.get("/search", face_token=token, threshold="9").status == 404

    @pytest.mark.parametrize(("method", "path"), [("GET", ""), ("GET", "/crop"), ("PUT", ""), ("DELETE", "")])
    def test_an_unknown_face(self, api: Api, method: str, path: str) -> None:
        query = [("face_name", "Ada")] if method == "PUT" else []

        assert_refused(api.send(method, f"/faces/{TOKEN}{path}", query), 404, UNKNOWN_TOKEN)
        only_detected = api.token(pictures.drawing())
        assert_refused(api.send(method, f"/faces/{only_detected}{path}", query), 404, UNKNOWN_TOKEN)
        refused = api.send(method, f"/faces/no-token{path}", query)
        assert_refused(refused, 400, bad_argument("face_token must be 24 letters and digits"))

    def test_a_token_in_the_address_and_in_the_query(self, api: Api) -> None:
        reply = api.get(f"/faces/{TOKEN}", face_token=TOKEN)

        assert_refused(reply, 400, bad_argument("face_token is given more than once"))

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("POST", "/faces", "GET, HEAD"),
            ("PATCH", f"/faces/{TOKEN}", "GET, HEAD, PUT, DELETE"),
            ("DELETE", f"/faces/{TOKEN}/crop", "GET, HEAD"),
        ],
    )
    def test_a_wrong_method(self, api: Api, method: str, path: str, allowed: str) -> None:
        reply = api.send(method, path, content_type="multipart/form-data; boundary=b", body=b"--b--\r\n")

        assert_refused(reply, 405, bad_argument("this address does not accept that method"))
        assert sorted(reply.headers["allow"].split(", ")) == sorted(allowed.split(", "))

    def test_adding_and_removing_by_post(self, api: Api) -> None:
        token, other = api.token(pictures.drawing()), api.token(pictures.drawing())

        added = api.post("/addface", face_token=token, face_name="Ada").body
        assert added == {"sucess": True, "success": True, "face_token": token, "face_neme": "Ada", "face_name": "Ada"}
        assert api.send("POST", "/addface", [("face_token", other)]).body["face_name"] == "unknown"
        assert names(api.search_picture(pictures.drawing())) == ["Ada", "unknown"]

        removed = api.post("/removeface", face_token=token).body
        assert removed == {"sucess": True, "success": True, "face_token": token}
        assert api.send("POST", "/removeface", [("face_token", other)]).status == 200
        assert tokens(api.search_picture(pictures.drawing())) == []

    @pytest.mark.parametrize("path", ["/addface", "/removeface"])
    def test_a_post_without_a_token(self, api: Api, path: str) -> None:
        assert_refused(api.send("POST", path), 400, missing_argument("face_token"))
        assert_refused(api.post(path, face_name="Ada"), 400, missing_argument("face_token"))
