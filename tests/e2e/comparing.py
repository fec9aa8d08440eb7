"""The contract for comparing two faces, over any transport.

The fixture `api` chooses the transport.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import people, pictures
from tests.e2e.api import Api, distances
from tests.e2e.refusals import TOKEN, UNKNOWN_TOKEN, assert_refused, bad_argument, failure, missing_argument
from tests.e2e.walk import EVERYTHING


class Comparing:
    def test_the_fields_of_a_comparison(self, api: Api) -> None:
        token = api.token(pictures.drawing())
        [detected] = api.detect(pictures.astronaut())

        body = api.post("/compare", image_file1=pictures.astronaut(), face_token2=token).body

        known = api.get("/info").body["model"]["thresholds"]
        by_rate = {f"{t['fmr']:.0e}".replace("e-0", "e-"): t["distance"] for t in known}
        worst = {rate: t["worst_false_match_rate"] for rate, t in zip(by_rate, known, strict=True)}
        assert set(by_rate) == {"1e-2", "1e-3", "1e-4"}
        face = {name: value for name, value in detected.items() if name not in ("face_token", "face_name")}
        assert body == {
            "sucess": True,
            "success": True,
            "distant": body["distant"],
            "distance": body["distant"],
            "thresholds": by_rate,
            "worst_false_match_rates": worst,
            "same_person": {rate: body["distant"] <= threshold for rate, threshold in by_rate.items()},
            "face1": face,
            "face2": {"face_token": token},
        }

    def test_the_distance_equals_that_of_a_search(self, api: Api) -> None:
        known, target = api.added(pictures.drawing(), "Ada"), api.token(pictures.astronaut())
        [distance] = distances(api.search(target, EVERYTHING))

        for arguments in (
            {"face_token1": known, "face_token2": target},
            {"face_token1": target, "face_token2": known},
            {"image_file1": pictures.drawing(), "face_token2": target},
            {"image_file1": pictures.drawing(), "image_file2": pictures.astronaut()},
        ):
            assert api.post("/compare", **arguments).body["distance"] == pytest.approx(distance, abs=1e-6)
        by_query = api.send("POST", "/compare", [("face_token1", known), ("face_token2", target)])
        assert by_query.body["distance"] == distance

    def test_same_person_follows_the_thresholds(self, api: Api) -> None:
        (one, same, *_), (other, *_) = (people.pictures_of(name) for name in people.NAMES[:2])

        assert all(api.post("/compare", image_file1=one, image_file2=one).body["same_person"].values())
        assert api.post("/compare", image_file1=one, image_file2=same).body["same_person"]["1e-2"]
        assert not any(api.post("/compare", image_file1=one, image_file2=other).body["same_person"].values())

    def test_the_largest_faces_are_compared(self, api: Api) -> None:
        body = api.post("/compare", image_file1=pictures.two_faces(), image_file2=pictures.drawing()).body

        assert body["same_person"]["1e-3"]
        assert body["face1"]["top_left"][0] > 480

    def test_no_picture_is_stored(self, api: Api) -> None:
        body = api.post("/compare", image_file1=pictures.drawing(), image_file2=pictures.drawing()).body

        assert "face_token" not in body["face1"] | body["face2"]
        assert api.get("/info").body["faces"] == 0

    def test_two_pictures_of_the_most_bytes(self, api: Api) -> None:
        largest = pictures.padded(pictures.astronaut(), 2_097_152)

        assert api.post("/compare", image_file1=largest, image_file2=largest).body["distance"] == 0

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_picture_of_too_many_bytes(self, api: Api, number: int) -> None:
        sizes = {1: 2_097_152, 2: 2_097_152, number: 2_097_153}
        files = {f"image_file{n}": pictures.padded(pictures.drawing(), size) for n, size in sizes.items()}

        refused = api.post("/compare", *files.items())

        detail = f"image_file{number}: the picture may have at most 2097152 bytes"
        assert_refused(refused, 413, failure("1004", "FIlE_ERROR", detail))

    def test_a_body_larger_than_two_pictures(self, api: Api) -> None:
        refused = api.post("/compare", image_file1=bytes(4_300_000), face_token2=TOKEN)

        assert refused.status == 413

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_broken_picture(self, api: Api, number: int) -> None:
        files = {1: pictures.drawing(), 2: pictures.drawing(), number: pictures.drawing()[:-1000]}

        refused = api.post("/compare", image_file1=files[1], image_file2=files[2])

        detail = f"image_file{number}: the picture is broken or cut off"
        assert_refused(refused, 400, failure("1004", "FIlE_ERROR", detail))

    @pytest.mark.parametrize("number", [1, 2])
    def test_a_picture_without_a_face(self, api: Api, number: int) -> None:
        files = {1: pictures.drawing(), 2: pictures.drawing(), number: pictures.cat()}

        refused = api.post("/compare", image_file1=files[1], image_file2=files[2])

        detail = f"no face of at least 30 x 30 px was found in image_file{number}"
        assert_refused(refused, 422, failure("1007", "FACE_INFO_ERROR", detail))

    @pytest.mark.parametrize(
        ("arguments", "body"),
        [
            ({}, missing_argument("image_file1, image_base64_1 or face_token1")),
            ({"face_token1": TOKEN}, missing_argument("image_file2, image_base64_2 or face_token2")),
            (
                {"face_token2": TOKEN, "image_file1": b""},
                missing_argument("image_file1, image_base64_1 or face_token1"),
            ),
            ({"face_token1": TOKEN, "face_token2": "no"}, bad_argument("face_token2 must be 24 letters and digits")),
            (
                {"face_token1": TOKEN, "image_file1": b"file", "face_token2": TOKEN},
                bad_argument("send either image_file1 or face_token1, not both"),
            ),
        ],
    )
    def test_arguments_that_are_not_two_faces(
        self, api: Api, arguments: dict[str, bytes | str], body: dict[str, Any]
    ) -> None:
        assert_refused(api.post("/compare", *arguments.items()), 400, body)

    def test_an_unknown_token(self, api: Api) -> None:
        assert_refused(api.post("/compare", face_token1=TOKEN, image_file2=pictures.drawing()), 404, UNKNOWN_TOKEN)
