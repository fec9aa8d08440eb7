"""The contract for grouping faces by person, over any transport.

The fixture `api` chooses the transport.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.e2e import people, pictures
from tests.e2e.api import Api, Part
from tests.e2e.refusals import TOKEN, assert_refused, bad_argument, failure, missing_argument, upload_error

FORM = "application/x-www-form-urlencoded"
BAD_TOKENS = bad_argument("face_tokens must be 24 letters and digits each")


def parts(tokens: list[str]) -> list[Part]:
    return [("face_tokens", token) for token in tokens]


class Groups:
    def test_faces_are_grouped_by_person(self, api: Api) -> None:
        """Known and detected faces, from two face sets."""
        api.post("/face_sets", face_set="staff")
        ada = api.added(pictures.drawing(), "Ada", face_set="staff")
        eileen, again = api.added(pictures.astronaut(), "Eileen"), api.token(pictures.astronaut())
        same = api.token(pictures.changed_astronauts()["mirrored"])

        body = api.post("/groups", *parts([ada, same, eileen, again])).body

        assert body == {
            "sucess": True,
            "success": True,
            "groups": [[same, eileen, again]],
            "ungrouped": [ada],
            "threshold": body["threshold"],
        }
        known = api.get("/info").body["model"]["thresholds"]
        assert body["threshold"] in [one["distance"] for one in known]

    def test_a_shoebox_of_photographs(self, api: Api) -> None:
        of_each = [[api.token(picture) for picture in people.pictures_of(name)[:3]] for name in people.NAMES]
        stranger = api.token(people.pictures_of(people.STRANGER)[0])

        shoebox = [stranger, *(token for tokens in of_each for token in tokens)]
        groups = api.post_json("/groups", {"face_tokens": shoebox[::-1]}).body

        found = [set(group) for group in groups["groups"]]
        assert sorted(map(sorted, found)) == sorted(map(sorted, of_each))
        assert [len(group) for group in found] == sorted(map(len, of_each), reverse=True)
        assert groups["ungrouped"] == [stranger]
        for group in groups["groups"]:
            assert group == [token for token in shoebox[::-1] if token in group]

    def test_every_body_and_the_query_can_name_them(self, api: Api) -> None:
        tokens = [api.token(pictures.astronaut()), api.token(pictures.astronaut()), api.token(pictures.drawing())]
        named = [("face_tokens", token) for token in tokens]

        replies = [
            api.post("/groups", *parts(tokens)),
            api.post_json("/groups", {"face_tokens": tokens}),
            api.send("POST", "/groups", content_type=FORM, body=urlencode(named).encode()),
            api.send("POST", "/groups", named),
            api.send("POST", "/groups", named[:1], FORM, urlencode(named[1:]).encode()),
        ]

        for reply in replies:
            assert (reply.body["groups"], reply.body["ungrouped"]) == ([tokens[:2]], tokens[2:])

    def test_one_face_is_ungrouped(self, api: Api) -> None:
        token = api.token(pictures.drawing())

        for given in (token, [token]):
            body = api.post_json("/groups", {"face_tokens": given}).body
            assert (body["groups"], body["ungrouped"]) == ([], [token])

    def test_a_token_given_twice_counts_once(self, api: Api) -> None:
        one, other = api.token(pictures.drawing()), api.token(pictures.drawing())

        body = api.post("/groups", *parts([one, other, one, other, one])).body

        assert (body["groups"], body["ungrouped"]) == ([[one, other]], [])

    def test_a_thousand_tokens(self, api: Api) -> None:
        token = api.token(pictures.drawing())
        unknown = [f"{number:024}" for number in range(999)]
        named = ", ".join(unknown[:10])
        refusal = failure(
            "1006", "FACE_TOKEN_ERROR", f"999 of 1000 face_tokens are unknown or have expired: {named} and 989 more"
        )

        for reply in (
            api.post("/groups", *parts([*unknown, token])),
            api.post_json("/groups", {"face_tokens": [*unknown, token]}),
        ):
            assert_refused(reply, 404, refusal)

    @pytest.mark.parametrize("count", [1_001, 1_017, 5_000])
    def test_more_than_a_thousand_tokens(self, api: Api, count: int) -> None:
        too_many = bad_argument(f"face_tokens may have at most 1000 values, not {count}")
        too_many_parts = upload_error("the form has more than 1016 parts, or headers that are too long")
        commas = upload_error("the JSON has more than 100 opening brackets, or 4096 commas")

        by_form = api.post("/groups", *parts([TOKEN] * count))
        by_json = api.post_json("/groups", {"face_tokens": [TOKEN] * count})

        assert_refused(by_form, 400, too_many if count == 1_001 else too_many_parts)
        assert_refused(by_json, 400, commas if count == 5_000 else too_many)

    @pytest.mark.parametrize("given", [None, [], "", [""], [None]])
    def test_no_tokens(self, api: Api, given: Any) -> None:
        assert_refused(api.post_json("/groups", {"face_tokens": given}), 400, missing_argument("face_tokens"))

    def test_no_body(self, api: Api) -> None:
        assert_refused(api.send("POST", "/groups"), 400, missing_argument("face_tokens"))

    @pytest.mark.parametrize("bad", ["no", "A" * 25, "é" * 24, "", 5, True, f"{TOKEN},{TOKEN}", f'["{TOKEN}"]'])
    def test_a_malformed_token_among_others(self, api: Api, bad: Any) -> None:
        assert_refused(api.post_json("/groups", {"face_tokens": [TOKEN, bad]}), 400, BAD_TOKENS)

    @pytest.mark.parametrize("bad", [[TOKEN], {"face_token": TOKEN}])
    def test_a_list_in_the_list(self, api: Api, bad: Any) -> None:
        refused = api.post_json("/groups", {"face_tokens": [TOKEN, bad]})

        assert_refused(refused, 400, bad_argument("face_tokens must be text, a number or a boolean"))

    def test_an_unknown_and_a_removed_token(self, api: Api) -> None:
        known, removed = api.token(pictures.drawing()), api.added(pictures.drawing(), "Ada")
        api.remove(removed)
        detail = f"1 of 2 face_tokens is unknown or has expired: {removed}"

        assert_refused(api.post("/groups", *parts([known, removed])), 404, failure("1006", "FACE_TOKEN_ERROR", detail))

    def test_nothing_is_changed(self, api: Api) -> None:
        token, other = api.token(pictures.drawing()), api.token(pictures.drawing())

        api.post("/groups", *parts([token, other]))

        assert api.get("/info").body["faces"] == 0
        assert api.get(f"/faces/{token}").status == 404
