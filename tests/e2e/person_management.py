"""The contract for the people of a face set, over any transport.

The fixture `api` chooses the transport. Every test starts with an empty face set.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e import pictures
from tests.e2e.api import Api, names, tokens
from tests.e2e.face_management import listed
from tests.e2e.face_sets import UNKNOWN_FACE_SET
from tests.e2e.refusals import TOKEN, UNKNOWN_TOKEN, assert_refused, bad_argument, failure, missing_argument

UNKNOWN_PERSON = failure(
    "1006", "FACE_TOKEN_ERROR", "no face of the face_set has this name; GET /people lists all people"
)
ANOTHER = bad_argument("another person of the face_set has this name; merge=true makes both one person")
# Names that an address must escape, or that a wrong number of unescapings would change.
HARD = [
    "AC/DC",
    "100%",
    "%41da",
    "%2541",
    "a?b=c&d#e;f",
    "a+b c",
    "J. R. R.",
    "...",
    "José",
    "李小龍",
    "\\",
    "\n\t|",
    "😀" * 255,
]


def people(api: Api, **arguments: str) -> list[dict[str, Any]]:
    """Return the people on all pages of a list."""
    found, cursor = [], ""
    while cursor is not None:
        reply = api.get("/people", cursor=cursor, **arguments)
        assert reply.status == 200, reply.text
        found += reply.body["people"]
        cursor = reply.body["next_cursor"]
    return found


def path(name: str) -> str:
    return f"/people/{quote(name, safe='')}"


class People:
    def test_the_fields_of_the_people(self, api: Api) -> None:
        first = api.added(pictures.drawing(), "Ada")
        api.added(pictures.drawing(), " ADA")
        api.add(api.token(pictures.drawing()))
        faces = api.get("/faces").body["faces"]

        assert api.get("/people").body == {
            "sucess": True,
            "success": True,
            "people": [
                {
                    "name": " ADA",
                    "faces": 2,
                    "cover": first,
                    "first_added_at": faces[0]["added_at"],
                    "last_added_at": faces[1]["added_at"],
                }
            ],
            "next_cursor": None,
        }
        assert api.get("/people/ada/faces").body["faces"] == faces[:2]

    def test_people_come_in_pages(self, api: Api) -> None:
        for name in ("Élodie", "Ada", "élodie", "Zelo"):
            api.added(pictures.drawing(), name)

        for limit in ("1", "2", "10"):
            assert [person["name"] for person in people(api, limit=limit)] == ["élodie", "Ada", "Zelo"]
            assert [person["name"] for person in people(api, limit=limit, name="ELO")] == ["élodie", "Zelo"]
        assert listed(api, name="elo", limit="1") == ["Élodie", "élodie", "Zelo"]
        begun = api.get("/people/%C3%89LODIE/faces", limit="1").body
        rest = api.get("/people/%C3%89LODIE/faces", limit="1", cursor=begun["next_cursor"]).body
        assert [face["face_name"] for face in (*begun["faces"], *rest["faces"])] == ["Élodie", "élodie"]
        assert rest["next_cursor"] is None

    @pytest.mark.parametrize("name", HARD)
    def test_a_persons_name_may_have_any_characters(self, api: Api, name: str) -> None:
        token = api.added(pictures.drawing(), name)
        other = api.added(pictures.drawing(), "Ada")

        assert [face["face_token"] for face in api.get(f"{path(name)}/faces").body["faces"]] == [token]
        assert api.put(path("Ada"), name=f"{name[:254]}2").body["name"] == f"{name[:254]}2"
        removed = api.send("DELETE", path(name)).body
        assert removed == {"sucess": True, "success": True, "name": name, "removed": 1, "done": True}
        assert tokens(api.search_picture(pictures.drawing())) == [other]

    def test_renaming_and_merging_by_query_or_form(self, api: Api) -> None:
        for name in ("Ada", "ada", "Grace"):
            api.added(pictures.drawing(), name)

        renamed = api.put("/people/ADA", name="Augusta").body
        assert renamed == {"sucess": True, "success": True, "name": "Augusta", "renamed": 2, "done": True}
        assert sorted(names(api.search_picture(pictures.drawing()))) == ["Augusta", "Augusta", "Grace"]
        assert_refused(api.put("/people/Augusta", name="grace"), 400, ANOTHER)
        assert_refused(api.put("/people/Augusta", name="grace", merge="false"), 400, ANOTHER)
        merged = api.send("PUT", "/people/Augusta", [("name", "GRACE"), ("merge", "true")])
        assert (merged.status, merged.body["renamed"]) == (200, 2)
        assert [(person["name"], person["faces"]) for person in people(api)] == [("GRACE", 3)]
        [person] = api.search_picture(pictures.drawing(), group="name")["cmp_result"]
        assert person["faces"] == 3

    def test_a_cover_is_chosen(self, api: Api) -> None:
        first, second = (api.added(pictures.drawing(), "Ada") for _ in range(2))

        assert api.put("/people/ada", cover=second).body["renamed"] == 0
        assert [person["cover"] for person in people(api)] == [second]
        api.remove(second)
        assert [person["cover"] for person in people(api)] == [first]

    def test_a_person_is_one_in_each_face_set(self, api: Api) -> None:
        api.post("/face_sets", face_set="staff")
        stays = api.added(pictures.drawing(), "Ada")
        staff = api.added(pictures.drawing(), "Ada", face_set="staff")

        assert [person["cover"] for person in people(api, face_set="staff")] == [staff]
        api.put("/people/Ada", name="Augusta", face_set="staff")
        assert listed(api) == ["Ada"]
        assert api.send("DELETE", "/people/Augusta", [("face_set", "staff")]).body["removed"] == 1
        assert [person["cover"] for person in people(api)] == [stays]
        assert people(api, face_set="staff") == []
        assert_refused(api.get("/people", face_set="nobody"), 404, UNKNOWN_FACE_SET)

    @pytest.mark.parametrize("name", ["Grace", "unknown", "Unknown "])
    def test_an_unknown_person(self, api: Api, name: str) -> None:
        api.add(api.token(pictures.drawing()))

        for reply in (
            api.get(f"{path(name)}/faces"),
            api.put(path(name), name="Ada"),
            api.put(path(name), cover=TOKEN),
            api.send("DELETE", path(name)),
        ):
            assert_refused(reply, 404, UNKNOWN_PERSON)

    def test_wrong_arguments(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")
        other = api.added(pictures.drawing(), "Grace")

        for reply in (api.send("PUT", "/people/Ada"), api.put("/people/Ada", name=" ")):
            assert_refused(reply, 400, missing_argument("name or cover"))
        assert_refused(api.get("/people/%20/faces"), 400, missing_argument("person"))
        assert_refused(
            api.put("/people/Ada", name="a" * 256), 400, bad_argument("name must have at most 255 characters")
        )
        assert_refused(
            api.put("/people/Ada", name="a", merge="yes"), 400, bad_argument("merge must be one of false, true")
        )
        for wrong in (other, token):
            refused = api.put("/people/Ada" if wrong == other else "/people/Grace", cover=wrong)
            assert_refused(refused, 400, bad_argument("cover must be the face_token of one of the person's faces"))
        assert_refused(api.put("/people/Ada", cover=TOKEN), 404, UNKNOWN_TOKEN)
        cursor = bad_argument("cursor must be the next_cursor of an earlier reply")
        for path in ("/people", "/people/Ada/faces"):
            assert_refused(api.get(path, cursor="A" * 12), 400, cursor)
