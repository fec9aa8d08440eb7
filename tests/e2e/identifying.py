"""The contract for identifying the people of a picture, and for additions that list similar people.

The fixture `api` chooses the transport.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import people, pictures
from tests.e2e.api import Api, Reply
from tests.e2e.face_sets import UNKNOWN_FACE_SET
from tests.e2e.refusals import BAD_LIMIT, BAD_THRESHOLD, TOKEN, UNKNOWN_TOKEN, assert_refused, bad_argument
from tests.e2e.walk import EVERYTHING


class Identifying:
    def test_the_fields_of_an_identification(self, api: Api) -> None:
        known = api.added(pictures.astronaut(), "Eileen Collins")
        detected = api.detect(pictures.two_faces())

        body = identify(api, pictures.two_faces())

        thresholds = {f"{t['fmr']:.0e}".replace("e-0", "e-"): t for t in api.get("/info").body["model"]["thresholds"]}
        distances = {rate: t["distance"] for rate, t in thresholds.items()}
        drawn, astronaut = body["faces"]
        [match] = astronaut["matches"]
        assert 0 < match["distance"] < distances["1e-3"]
        assert match == {
            "face_token": known,
            "face_name": "Eileen Collins",
            "distant": match["distance"],
            "distance": match["distance"],
            "same_person": {rate: match["distance"] <= distance for rate, distance in distances.items()},
        }
        assert drawn["matches"] == []
        for face, same in zip(body["faces"], detected, strict=True):
            new = ("face_token", "face_name")
            found = {name: face[name] for name in face if name not in (*new, "matches", "truncated")}
            assert found == {name: same[name] for name in same if name not in new}
            assert not face["truncated"]
        assert {name: body[name] for name in body if name != "faces"} == {
            "sucess": True,
            "success": True,
            "face_num": 2,
            "truncated": False,
            "threshold": distances["1e-3"],
            "thresholds": distances,
            "worst_false_match_rates": {rate: t["worst_false_match_rate"] for rate, t in thresholds.items()},
        }

    def test_everyone_in_a_picture_is_named(self, api: Api) -> None:
        api.added(pictures.drawing(), "Ada")
        api.added(pictures.astronaut(), "Eileen Collins")

        assert named(identify(api, pictures.two_faces())) == [["Ada"], ["Eileen Collins"]]

    def test_people_are_told_apart_at_the_default_threshold(self, api: Api) -> None:
        for name in people.NAMES:
            api.added(people.pictures_of(name)[0], name)

        for name in people.NAMES:
            assert named(identify(api, people.pictures_of(name)[1])) == [[name]]
        assert named(identify(api, people.pictures_of(people.STRANGER)[0])) == [[]]

    def test_each_person_comes_once_with_their_nearest_face(self, api: Api) -> None:
        first, second, third, *_ = people.pictures_of(people.NAMES[0])
        near = api.added(first, "One")
        for picture, name in ((second, "one"), (third, " ONE")):
            api.added(picture, name)
        other = api.added(people.pictures_of(people.NAMES[1])[0], "other")

        [face] = identify(api, first, threshold=EVERYTHING)["faces"]

        assert [(m["face_token"], m["face_name"]) for m in face["matches"]] == [(near, "One"), (other, "other")]

    def test_a_face_without_a_name_is_listed_alone(self, api: Api) -> None:
        for _ in range(2):
            api.add(api.token(pictures.drawing()))

        assert named(identify(api, pictures.drawing())) == [["unknown", "unknown"]]

    def test_the_distance_equals_that_of_a_search(self, api: Api) -> None:
        api.added(pictures.drawing(), "Ada")
        [face] = identify(api, pictures.astronaut(), threshold=EVERYTHING)["faces"]

        [found] = api.search(face["face_token"], EVERYTHING)["cmp_result"]

        assert face["matches"][0]["distance"] == pytest.approx(found["distance"], abs=1e-6)

    def test_a_limit_counts_people_for_each_face(self, api: Api) -> None:
        for name in ("one", "one", "other", "other", "third"):
            api.added(pictures.drawing(), name)

        for limit, truncated in (("1", True), ("2", True), ("3", False)):
            [face] = identify(api, pictures.drawing(), limit=limit)["faces"]
            found = [match["face_name"] for match in face["matches"]]
            assert (found, face["truncated"]) == (["one", "other", "third"][: int(limit)], truncated)

    def test_only_one_face_set_is_searched(self, api: Api) -> None:
        api.post("/face_sets", face_set="staff")
        api.added(pictures.drawing(), "Ada", face_set="staff")

        assert named(identify(api, pictures.drawing())) == [[]]
        assert named(identify(api, pictures.drawing(), face_set="staff")) == [["Ada"]]

    @pytest.mark.parametrize("picture", [pictures.drawing, pictures.cat], ids=["a face", "no face"])
    def test_identifying_in_an_unknown_face_set(self, api: Api, picture: Any) -> None:
        refused = identification(api, picture(), face_set="nowhere")

        assert_refused(refused, 404, UNKNOWN_FACE_SET)

    def test_no_face_is_identified(self, api: Api) -> None:
        body = identify(api, pictures.cat())

        assert (body["face_num"], body["faces"], body["truncated"]) == (0, [], False)

    def test_a_change_is_seen_at_once(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")
        assert named(identify(api, pictures.drawing())) == [["Ada"]]
        api.put(f"/faces/{token}", face_name="Grace")
        assert named(identify(api, pictures.drawing())) == [["Grace"]]
        api.remove(token)
        assert named(identify(api, pictures.drawing())) == [[]]

    def test_an_identified_face_can_be_added(self, api: Api) -> None:
        [face] = identify(api, pictures.drawing())["faces"]

        api.add(face["face_token"], face_name="Ada")

        assert named(identify(api, pictures.drawing())) == [["Ada"]]

    @pytest.mark.parametrize(
        ("arguments", "body"),
        [({"threshold": "-1"}, BAD_THRESHOLD), ({"threshold": "wide"}, BAD_THRESHOLD), ({"limit": "0"}, BAD_LIMIT)],
    )
    def test_arguments_that_identify_refuses(self, api: Api, arguments: dict[str, str], body: dict[str, Any]) -> None:
        assert_refused(identification(api, pictures.drawing(), **arguments), 400, body)


class SimilarPeople:
    def test_an_addition_lists_people_who_look_alike(self, api: Api) -> None:
        ada = api.added(pictures.drawing(), "Ada")
        api.added(pictures.astronaut(), "Eileen Collins")

        body = api.add(api.token(pictures.drawing()), face_name="Grace", check="true")

        assert body["similar"] == [
            {"face_token": ada, "face_name": "Ada", "distant": 0.0, "distance": 0.0, "faces": 1},
        ]

    def test_the_name_given_and_faces_without_a_name_are_left_out(self, api: Api) -> None:
        api.added(pictures.drawing(), "Ada")
        api.add(api.token(pictures.drawing()))

        assert api.add(api.token(pictures.drawing()), face_name=" ADA", check="true")["similar"] == []

    def test_three_people_at_most(self, api: Api) -> None:
        for name in ("one", "two", "two", "three", "four"):
            api.added(pictures.drawing(), name)

        similar = api.add(api.token(pictures.drawing()), face_name="five", check="true")["similar"]

        assert [(match["face_name"], match["faces"]) for match in similar] == [("one", 1), ("two", 2), ("three", 1)]

    def test_a_known_face_is_not_similar_to_itself(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")

        assert api.add(token, face_name="Grace", check="true")["similar"] == []

    def test_only_the_face_set_of_the_addition_counts(self, api: Api) -> None:
        api.post("/face_sets", face_set="staff")
        api.added(pictures.drawing(), "Ada")

        assert api.add(api.token(pictures.drawing()), face_name="B", face_set="staff", check="true")["similar"] == []

    def test_without_a_check_nothing_is_listed(self, api: Api) -> None:
        for arguments in ({}, {"check": "false"}):
            assert "similar" not in api.add(api.token(pictures.drawing()), face_name="Ada", **arguments)

    def test_a_check_is_true_or_false(self, api: Api) -> None:
        refused = api.get("/addface", face_token=TOKEN, check="yes")

        assert_refused(refused, 400, bad_argument("check must be one of false, true"))

    def test_a_check_of_an_unknown_token(self, api: Api) -> None:
        assert_refused(api.get("/addface", face_token=TOKEN, check="true"), 404, UNKNOWN_TOKEN)


def identification(api: Api, picture: bytes, **arguments: str) -> Reply:
    return api.post("/identify", ("image_file", picture), *arguments.items())


def identify(api: Api, picture: bytes, **arguments: str) -> dict[str, Any]:
    reply = identification(api, picture, **arguments)
    assert reply.status == 200, reply.text
    body: dict[str, Any] = reply.body
    return body


def named(body: dict[str, Any]) -> list[list[str]]:
    """Return the names of each face's matches, nearest first."""
    return [[match["face_name"] for match in face["matches"]] for face in body["faces"]]
