"""The contract for several face sets and for results grouped by person, over any transport.

The fixture `api` chooses the transport. Every test starts with only the default face set, and no faces in it.
"""

from __future__ import annotations

import pytest

from tests.e2e import people, pictures
from tests.e2e.api import Api, distances, names, tokens
from tests.e2e.face_management import listed
from tests.e2e.refusals import TOKEN, UNKNOWN_TOKEN, assert_refused, bad_argument, missing_argument
from tests.e2e.walk import EVERYTHING

UNKNOWN_FACE_SET = bad_argument("there is no such face_set; POST /face_sets creates one, GET /face_sets lists all")
BAD_FACE_SET = bad_argument(
    "face_set must be 1 to 64 letters, digits, dots, hyphens and underscores, other than `.` and `..`"
)
IN_ANOTHER = bad_argument("the face is in another face set; remove it there, or send that face_set")


def counted(api: Api) -> dict[str, int]:
    reply = api.get("/face_sets")
    assert reply.status == 200, reply.text
    return {item["face_set"]: item["faces"] for item in reply.body["face_sets"]}


class FaceSets:
    def test_the_fields_of_the_replies(self, api: Api) -> None:
        ok = {"sucess": True, "success": True}
        assert api.get("/face_sets").body == {**ok, "face_sets": [{"face_set": "default", "faces": 0}]}

        assert api.post("/face_sets", face_set="staff").body == {**ok, "face_set": "staff", "created": True}
        again = api.send("POST", "/face_sets", [("face_set", "staff")])
        assert (again.status, again.body) == (200, {**ok, "face_set": "staff", "created": False})
        api.added(pictures.drawing(), "Ada", face_set="staff")
        assert api.get("/face_sets").body["face_sets"] == [
            {"face_set": "default", "faces": 0},
            {"face_set": "staff", "faces": 1},
        ]

        gone = api.send("DELETE", "/face_sets/staff").body
        assert gone == {**ok, "face_set": "staff", "removed": 1, "done": True}
        assert counted(api) == {"default": 0}

    def test_a_face_is_found_in_its_own_face_set_only(self, api: Api) -> None:
        self.make(api, "staff", "guests")
        known = {name: api.added(pictures.drawing(), name, face_set=name) for name in ("default", "staff", "guests")}
        target = api.token(pictures.drawing())

        assert tokens(api.search(target)) == [known["default"]]
        for name, token in known.items():
            assert tokens(api.search(target, EVERYTHING, face_set=name)) == [token]
            assert tokens(api.search_picture(pictures.drawing(), face_set=name)) == [token]
            assert listed(api, face_set=name) == [name]
        # A face known in one set can be searched for in another.
        assert tokens(api.search(known["staff"], face_set="guests")) == [known["guests"]]
        assert tokens(api.search(known["staff"], face_set="staff")) == []
        assert api.get(f"/faces/{known['staff']}").body["face_set"] == "staff"
        assert counted(api) == {"default": 1, "guests": 1, "staff": 1}
        assert api.get("/info").body["faces"] == 3

    def test_a_limit_counts_the_faces_of_the_set(self, api: Api) -> None:
        self.make(api, "staff")
        for _ in range(3):
            api.added(pictures.drawing(), "default")
        staff = api.added(pictures.astronaut(), "staff", face_set="staff")

        found = api.search_picture(pictures.drawing(), EVERYTHING, face_set="staff", limit="1")

        assert (tokens(found), found["truncated"]) == ([staff], False)

    def test_a_face_is_in_one_face_set(self, api: Api) -> None:
        self.make(api, "staff")
        token = api.added(pictures.drawing(), "Ada", face_set="staff")

        assert_refused(api.get("/addface", face_token=token, face_name="Grace"), 400, IN_ANOTHER)
        assert api.add(token, face_name="Hedy", face_set="staff")["face_name"] == "Hedy"
        assert listed(api, face_set="staff") == ["Hedy"]

        api.remove(token)
        assert counted(api) == {"default": 0, "staff": 0}

    def test_faces_of_a_deleted_face_set_are_unknown_everywhere(self, api: Api) -> None:
        self.make(api, "staff")
        gone = [api.added(pictures.drawing(), str(number), face_set="staff") for number in range(3)]
        stays = api.added(pictures.drawing(), "stays")

        assert api.send("DELETE", "/face_sets/staff").body["removed"] == 3

        for token in gone:
            assert_refused(api.get("/search", face_token=token, threshold="9"), 404, UNKNOWN_TOKEN)
            assert_refused(api.get(f"/faces/{token}"), 404, UNKNOWN_TOKEN)
        assert tokens(api.search_picture(pictures.drawing(), EVERYTHING)) == [stays]
        self.make(api, "staff")
        assert tokens(api.search_picture(pictures.drawing(), EVERYTHING, face_set="staff")) == []

    def test_an_unknown_face_set(self, api: Api) -> None:
        token = api.token(pictures.drawing())
        face_set = {"face_set": "nobody"}

        for reply in (
            api.get("/search", face_token=token, threshold="1", **face_set),
            api.post("/search", *face_set.items(), image_file=pictures.drawing(), threshold="1"),
            api.get("/addface", face_token=token, **face_set),
            api.get("/faces", **face_set),
            api.send("DELETE", "/face_sets/nobody"),
        ):
            assert_refused(reply, 404, UNKNOWN_FACE_SET)

    @pytest.mark.parametrize("name", ["a b", "a" * 65, "é", "a/b", "a\n", ".", "..", "%"])
    def test_a_malformed_name(self, api: Api, name: str) -> None:
        assert_refused(api.post("/face_sets", face_set=name), 400, BAD_FACE_SET)
        assert_refused(api.get("/faces", face_set=name), 400, BAD_FACE_SET)

    @pytest.mark.parametrize("name", ["a", "A" * 64, "a.b", "_", "-", "...", "Staff-2026_x"])
    def test_a_name_that_is_just_acceptable(self, api: Api, name: str) -> None:
        self.make(api, name)

        assert counted(api) == {"default": 0, name: 0}
        assert api.send("DELETE", f"/face_sets/{name}").body["done"] is True

    def test_names_differ_by_case(self, api: Api) -> None:
        self.make(api, "staff", "Staff")

        assert list(counted(api)) == ["Staff", "default", "staff"]

    def test_the_default_face_set_stays(self, api: Api) -> None:
        refused = api.send("DELETE", "/face_sets/default")

        assert_refused(refused, 400, bad_argument("the face set default cannot be deleted"))
        assert api.post("/face_sets", face_set="default").body["created"] is False

    def test_a_name_is_required(self, api: Api) -> None:
        assert_refused(api.send("POST", "/face_sets"), 400, missing_argument("face_set"))

    @staticmethod
    def make(api: Api, *given: str) -> None:
        for name in given:
            assert api.post("/face_sets", face_set=name).body["created"] is True


class Grouping:
    def test_each_person_comes_once_with_the_nearest_face(self, api: Api) -> None:
        first, second, third, *_ = people.pictures_of(people.NAMES[0])
        near = api.added(first, "one")
        for picture in (second, third):
            api.added(picture, "one")
        other = api.added(people.pictures_of(people.NAMES[1])[0], "other")

        found = api.search_picture(first, EVERYTHING, group="name")

        assert found["cmp_result"] == [
            {"face_token": near, "distant": 0.0, "distance": 0.0, "face_name": "one", "faces": 3},
            {
                "face_token": other,
                "distant": distances(found)[1],
                "distance": distances(found)[1],
                "face_name": "other",
                "faces": 1,
            },
        ]

    def test_faces_beyond_the_threshold_do_not_count(self, api: Api) -> None:
        api.added(pictures.drawing(), "one")
        api.added(pictures.astronaut(), "one")

        found = api.search_picture(pictures.drawing(), "0.3", group="name")

        assert [match["faces"] for match in found["cmp_result"]] == [1]

    def test_a_limit_counts_people(self, api: Api) -> None:
        for name in ("one", "one", "other", "other", "third"):
            api.added(pictures.drawing(), name)

        for limit, truncated in (("1", True), ("2", True), ("3", False)):
            found = api.search_picture(pictures.drawing(), group="name", limit=limit)
            assert (names(found), found["truncated"]) == (["one", "other", "third"][: int(limit)], truncated)

    def test_faces_without_a_name_are_not_grouped(self, api: Api) -> None:
        for _ in range(3):
            api.add(api.token(pictures.drawing()))

        found = api.search_picture(pictures.drawing(), group="name")

        assert [(m["face_name"], m["faces"]) for m in found["cmp_result"]] == [("unknown", 1)] * 3

    def test_the_target_is_not_counted(self, api: Api) -> None:
        target, other = (api.added(pictures.drawing(), "one") for _ in range(2))

        [match] = api.search(target, group="name")["cmp_result"]

        assert (match["face_token"], match["faces"]) == (other, 1)

    def test_without_grouping_a_result_has_no_number_of_faces(self, api: Api) -> None:
        api.added(pictures.drawing(), "one")

        [match] = api.search_picture(pictures.drawing(), group="none")["cmp_result"]

        assert set(match) == {"face_token", "distant", "distance", "face_name"}

    def test_a_group_that_does_not_exist(self, api: Api) -> None:
        reply = api.get("/search", face_token=TOKEN, threshold="1", group="person")

        assert_refused(reply, 400, bad_argument("group must be one of none, name"))
