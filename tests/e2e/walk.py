"""The contract for detecting, adding, finding and removing faces, over any transport and with any database.

The fixture `api` chooses the transport. Every test starts with an empty face set.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from unicodedata import normalize

import pytest
from urllib3 import encode_multipart_formdata

from tests.e2e import people, pictures
from tests.e2e.api import Api, distances, names, tokens

REFERENCE_THRESHOLD = "0.65"
# Larger than the distance between any two faces.
EVERYTHING = "100"

NAMES = (
    "李小龍",
    "محمد علي",
    "Zoë Ångström, née O'Brien",
    "Zoe\N{COMBINING DIAERESIS}",
    "\N{WOMAN}\N{EMOJI MODIFIER FITZPATRICK TYPE-5}\N{ZERO WIDTH JOINER}\N{ROCKET}",
    "Robert'); DROP TABLE face_set;--",
    'a "quoted" \\ %s ? % + & = ; # <b>name</b>',
    " spaces around ",
    "two\nlines",
    "0",
    "é" * 255,
    "\N{ROCKET}" * 255,
)


class Walk:
    def test_a_face_from_its_detection_to_its_removal(self, api: Api) -> None:
        [face] = api.detect(pictures.astronaut())
        token = face["face_token"]

        added = api.add(token, face_name="Eileen Collins")
        assert (added["face_token"], added["face_neme"]) == (token, "Eileen Collins")

        later = api.token(pictures.astronaut_png())
        found = api.search(later)
        assert (found["face_token"], tokens(found), names(found)) == (later, [token], ["Eileen Collins"])

        found = api.search_picture(pictures.astronaut_png())
        assert (tokens(found), names(found)) == ([token], ["Eileen Collins"])
        assert found["face_token"] not in (token, later)
        assert tokens(api.search(found["face_token"])) == [token]

        assert api.remove(token)["face_token"] == token
        assert tokens(api.search(later)) == []
        assert tokens(api.search_picture(pictures.astronaut())) == []

    def test_a_changed_copy_of_a_photograph_is_the_same_face(self, api: Api) -> None:
        token = api.added(pictures.astronaut(), "Eileen Collins")
        api.added(pictures.drawing(), "nobody")

        for change, picture in pictures.changed_astronauts().items():
            found = api.search_picture(picture, REFERENCE_THRESHOLD)

            assert tokens(found) == [token], change
            assert distances(found)[0] > 0, change

    def test_people_are_told_apart(self, api: Api) -> None:
        own = {name: api.added(people.pictures_of(name)[0], name) for name in people.NAMES}

        for name in people.NAMES:
            later = api.token(people.pictures_of(name)[1])
            assert names(api.search(later, REFERENCE_THRESHOLD)) == [name]
            assert names(api.search_picture(people.pictures_of(name)[1], REFERENCE_THRESHOLD)) == [name]
            assert tokens(api.search(own[name], REFERENCE_THRESHOLD)) == []

        assert names(api.search_picture(people.pictures_of(people.STRANGER)[0], REFERENCE_THRESHOLD)) == []

    def test_a_person_who_was_removed_is_a_stranger(self, api: Api) -> None:
        gone, *others = people.NAMES
        own = {name: api.added(people.pictures_of(name)[0], name) for name in people.NAMES}

        api.remove(own[gone])

        assert names(api.search_picture(people.pictures_of(gone)[1], REFERENCE_THRESHOLD)) == []
        assert sorted(names(api.search_picture(people.pictures_of(gone)[1], EVERYTHING))) == sorted(others)

    def test_several_faces_of_one_person_are_all_found(self, api: Api) -> None:
        first, *rest = people.pictures_of(people.NAMES[0])
        added = [api.added(picture, "the same") for picture in rest]

        assert sorted(tokens(api.search_picture(first, REFERENCE_THRESHOLD))) == sorted(added)

    def test_faces_are_returned_largest_first(self, api: Api) -> None:
        large, small = api.detect(pictures.two_faces())

        assert large["top_left"][0] > 480 > small["bottom_right"][0]
        assert large["face_token"] != small["face_token"]
        assert large["face_name"] != small["face_name"]

    def test_a_search_by_picture_is_for_its_largest_face(self, api: Api) -> None:
        drawn = api.added(pictures.drawing(), "the drawing, on the right")
        api.added(pictures.astronaut(), "the astronaut, small, on the left")

        assert tokens(api.search_picture(pictures.two_faces(), REFERENCE_THRESHOLD)) == [drawn]

    def test_each_face_of_a_picture_can_be_added_by_itself(self, api: Api) -> None:
        large, small = api.detect(pictures.two_faces())

        api.add(small["face_token"], face_name="Eileen Collins")

        assert tokens(api.search_picture(pictures.astronaut())) == [small["face_token"]]
        assert tokens(api.search(large["face_token"])) == []

    def test_detecting_a_picture_without_a_face_succeeds(self, api: Api) -> None:
        body = api.post("/detect", image_file=pictures.cat()).body

        assert (body["sucess"], body["face_num"], body["faces"]) == (True, 0, [])

    def test_detecting_the_same_file_again_gives_another_token_at_distance_0(self, api: Api) -> None:
        added = api.added(pictures.astronaut(), "first")
        again = api.token(pictures.astronaut())

        found = api.search(again, "0")

        assert again != added
        assert (tokens(found), distances(found)) == ([added], [0])

    def test_detecting_does_not_add(self, api: Api) -> None:
        api.detect(pictures.astronaut())

        assert tokens(api.search_picture(pictures.astronaut(), EVERYTHING)) == []

    def test_the_target_itself_is_left_out(self, api: Api) -> None:
        one, other = (api.added(pictures.astronaut(), "twins") for _ in range(2))

        assert tokens(api.search(one, EVERYTHING)) == [other]
        assert tokens(api.search(other, EVERYTHING)) == [one]

    def test_the_threshold_is_the_largest_distance_in_the_results(self, api: Api) -> None:
        api.added(pictures.astronaut(), "Eileen Collins")
        target = api.token(pictures.drawing())
        [distance] = distances(api.search(target, EVERYTHING))

        assert distances(api.search(target, repr(distance))) == [distance]
        assert distances(api.search(target, repr(math.nextafter(distance, 0)))) == []

    def test_the_threshold_comes_back_as_it_was_given(self, api: Api) -> None:
        token = api.token(pictures.drawing())

        for given in ("0", "0.650", "00.65", ".5", "1.", "6.5e-1", "1E+2", "0." + "6" * 62):
            assert api.search(token, given)["threshold"] == given

        assert api.search_picture(pictures.drawing(), "0.650")["threshold"] == "0.650"

    def test_the_nearest_faces_come_first(self, api: Api) -> None:
        photo = pictures.astronaut_pixels()
        added = {
            api.added(picture, name)
            for name, picture in {
                "another": pictures.drawing(),
                "coarse": pictures.jpeg(photo, quality=30),
                "identical": pictures.astronaut(),
                "half": pictures.jpeg(pictures.scaled(photo, 0.5)),
            }.items()
        }

        found = api.search_picture(pictures.astronaut(), EVERYTHING)

        assert set(tokens(found)) == added
        assert distances(found) == sorted(distances(found))
        assert len(set(distances(found))) == 4
        assert (names(found)[0], names(found)[-1]) == ("identical", "another")

    def test_equally_near_faces_come_in_the_order_in_which_they_were_added(self, api: Api) -> None:
        added = [api.added(pictures.drawing(), str(number)) for number in range(5)]

        assert tokens(api.search_picture(pictures.drawing())) == added

    def test_a_limit_keeps_the_nearest_faces(self, api: Api) -> None:
        far = api.added(pictures.drawing(), "far")
        near = [api.added(pictures.astronaut(), "near") for _ in range(2)]
        target = api.token(pictures.astronaut())

        for limit, truncated in ((1, True), (2, True), (3, False), (4, False)):
            found = api.search(target, EVERYTHING, limit=str(limit))
            assert (tokens(found), found["truncated"]) == ([*near, far][:limit], truncated)

        found = api.search_picture(pictures.astronaut(), EVERYTHING, limit="1")
        assert (tokens(found), found["truncated"]) == (near[:1], True)

    def test_the_target_that_is_left_out_does_not_count_against_the_limit(self, api: Api) -> None:
        one, other = (api.added(pictures.astronaut(), "twins") for _ in range(2))

        found = api.search(one, EVERYTHING, limit="1")

        assert (tokens(found), found["truncated"]) == ([other], False)

    def test_an_empty_face_set_has_empty_results(self, api: Api) -> None:
        found = api.search(api.token(pictures.astronaut()), EVERYTHING)

        assert (found["cmp_result"], found["truncated"]) == ([], False)

    def test_a_name_comes_back_as_it_was_given_in_nfc(self, api: Api) -> None:
        token, target = api.token(pictures.drawing()), api.token(pictures.drawing())

        for given in NAMES:
            name = normalize("NFC", given)
            assert api.add(token, face_name=given)["face_neme"] == name
            assert names(api.search(target)) == [name]

    def test_a_face_without_a_name_is_unknown(self, api: Api) -> None:
        nameless, empty = api.token(pictures.drawing()), api.token(pictures.drawing())

        assert api.add(nameless)["face_neme"] == "unknown"
        assert api.add(empty, face_name="")["face_neme"] == "unknown"

        assert names(api.search_picture(pictures.drawing())) == ["unknown", "unknown"]

    def test_adding_again_renames(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada Byron")

        assert api.add(token, face_name="Ada Lovelace")["face_neme"] == "Ada Lovelace"
        assert names(api.search_picture(pictures.drawing())) == ["Ada Lovelace"]

        api.add(token)
        assert names(api.search_picture(pictures.drawing())) == ["unknown"]

    @pytest.mark.parametrize("threshold", ["1e100", "7.5e152", "1e155", "1.7976931348623157e308"])
    def test_a_threshold_may_be_as_large_as_a_number_can(self, api: Api, threshold: str) -> None:
        token = api.added(pictures.drawing(), "Ada")

        assert tokens(api.search(api.token(pictures.astronaut()), threshold)) == [token]

    def test_a_poor_face_is_refused_when_asked(self, api: Api) -> None:
        [poor] = api.detect(pictures.blurred())
        good = api.token(pictures.astronaut())
        assert poor["quality"]["reasons"] == ["the face is blurred"]

        refused = api.get("/addface", face_token=poor["face_token"], quality_filter="auto")

        assert refused.status == 422
        assert (refused.body["error_code"], refused.body["error_msg"]) == ("1007", "FACE_INFO_ERROR")
        assert refused.body["detail"] == "the face is too poor to be added: the face is blurred"
        assert api.get("/addface", face_token=good, quality_filter="auto").status == 200
        for accepted in ({"quality_filter": "none"}, {}, {"quality_filter": "auto"}):  # the last addition only renames
            assert api.get("/addface", face_token=poor["face_token"], **accepted).status == 200
        api.remove(poor["face_token"])
        api.remove(good)

    def test_two_faces_may_have_the_same_name(self, api: Api) -> None:
        api.added(pictures.drawing(), "Ada")
        api.added(pictures.drawing(), "Ada")

        assert names(api.search_picture(pictures.drawing())) == ["Ada", "Ada"]

    def test_a_face_that_was_removed_is_unknown_everywhere(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")
        api.remove(token)

        for reply in (
            api.get("/removeface", face_token=token),
            api.get("/search", face_token=token, threshold=REFERENCE_THRESHOLD),
            api.get("/addface", face_token=token, face_name="Ada"),
        ):
            assert (reply.status, reply.body["error_code"]) == (404, "1006")

    def test_a_removed_face_can_be_detected_and_added_again(self, api: Api) -> None:
        api.remove(api.added(pictures.drawing(), "before"))

        token = api.added(pictures.drawing(), "after")

        assert tokens(api.search_picture(pictures.drawing())) == [token]

    @pytest.mark.parametrize("file", [pictures.astronaut, pictures.astronaut_png], ids=["jpeg", "png"])
    def test_a_picture_is_recognised_by_its_content_not_by_its_name_or_type(
        self, api: Api, file: Callable[[], bytes]
    ) -> None:
        body, content_type = encode_multipart_formdata([("image_file", ("notes.gif", file(), "text/plain"))])

        reply = api.send("POST", "/detect", content_type=content_type, body=body)

        assert (reply.status, reply.body["face_num"]) == (200, 1)

    def test_the_threshold_may_be_in_the_query_of_a_post(self, api: Api) -> None:
        reply = api.post("/search", image_file=pictures.drawing(), query=[("threshold", "0.65"), ("limit", "1")])

        assert (reply.status, reply.body["threshold"]) == (200, "0.65")

    def test_info_counts_the_face_set(self, api: Api) -> None:
        token = api.added(pictures.drawing(), "Ada")
        assert api.get("/info").body["faces"] == 1

        api.remove(token)
        assert api.get("/info").body["faces"] == 0

    def test_tokens_are_24_letters_and_digits(self, api: Api) -> None:
        given = [face["face_token"] for _ in range(3) for face in api.detect(pictures.two_faces())]

        assert all(re.fullmatch(r"[A-Za-z0-9]{24}", token) for token in given)
        assert len(set(given)) == 6
