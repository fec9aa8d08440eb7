"""The detector on real pictures."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.errors import ServiceError
from chalicelib.faces import DetectedFace, Image
from chalicelib.images import decoding
from chalicelib.vision.model_pack import ModelPack
from chalicelib.vision.pyramid import Pyramid
from chalicelib.wiring import detector as build_detector
from infra.local import sample_face
from tests.packs import SHARED_FACES, detector, dlib_pack, needs_shared
from tests.pictures import astronaut, cat, jpeg, read, scaled


def _same(a: list[DetectedFace], b: list[DetectedFace]) -> bool:
    return [(f.box, f.confidence, f.landmarks.tolist()) for f in a] == [
        (f.box, f.confidence, f.landmarks.tolist()) for f in b
    ]


def test_a_face_is_found_with_correct_landmarks() -> None:
    [face] = detector().detect(astronaut())

    assert face.confidence > 0.99
    left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
    assert 150 < face.box.left < left_eye[0] < nose[0] < right_eye[0] < face.box.right < 300
    assert 50 < face.box.top < left_eye[1] < nose[1] < left_mouth[1] < face.box.bottom < 250
    assert left_mouth[0] < right_mouth[0]


def test_a_drawn_face_is_found() -> None:
    assert len(detector().detect(sample_face.draw())) == 1


@pytest.mark.parametrize("picture", [cat(), np.zeros((48, 48, 3), np.uint8), np.full((200, 300, 3), 255, np.uint8)])
def test_no_face_is_found_in_pictures_without_faces(picture: Image) -> None:
    assert detector().detect(picture) == []


def test_no_face_is_found_in_noise() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)

    assert detector().detect(noise) == []


@pytest.mark.parametrize("side", [30, 35, 50, 100, 200, 400])
def test_faces_are_found_from_30_px_up(side: int) -> None:
    [face] = detector().detect(astronaut())
    scale = side / min(face.box.right - face.box.left, face.box.bottom - face.box.top)
    picture = scaled(astronaut(), round(512 * scale), round(512 * scale))

    [found] = detector().detect(picture)

    expected = np.array([face.box.left, face.box.top, face.box.right, face.box.bottom]) * scale
    box = np.array([found.box.left, found.box.top, found.box.right, found.box.bottom])
    assert np.abs(box - expected).max() < 0.2 * side


def test_a_setting_excludes_small_faces() -> None:
    picture = np.zeros((512, 1024, 3), np.uint8)
    picture[:, :512] = astronaut()  # a face of 90 px
    picture[:256, 512:768] = scaled(astronaut(), 256, 256)  # a face of 45 px
    card = dlib_pack().detector

    found = {size: len(build_detector(ModelPack(dlib_pack().folder, size)).detect(picture)) for size in (30, 90)}

    assert found == {30: 2, 90: 1}
    assert ModelPack(dlib_pack().folder, 90).embedding_id == dlib_pack().embedding_id
    assert ModelPack(dlib_pack().folder).detector == card


def test_a_small_face_is_found_in_the_largest_picture() -> None:
    picture = np.zeros((4096, 4096, 3), np.uint8)
    picture[3500:3700, 200:400] = scaled(astronaut(), 200, 200)

    [face] = detector().detect(picture)

    assert 200 < face.box.left < face.box.right < 400
    assert 3500 < face.box.top < face.box.bottom < 3700


def test_boxes_lie_inside_the_picture() -> None:
    picture = astronaut()[95:220, 175:280]

    for face in detector().detect(np.ascontiguousarray(picture)):
        assert 0 <= face.box.left < face.box.right <= picture.shape[1]
        assert 0 <= face.box.top < face.box.bottom <= picture.shape[0]


def test_faces_are_returned_largest_first() -> None:
    picture = np.zeros((600, 900, 3), np.uint8)
    picture[:200, :200] = scaled(astronaut(), 200, 200)
    picture[:512, 300:812] = astronaut()
    picture[300:600, :300] = scaled(astronaut(), 300, 300)

    areas = [face.box.area for face in detector().detect(picture)]

    assert len(areas) == 3
    assert areas == sorted(areas, reverse=True)


def test_landmarks_move_with_the_picture() -> None:
    """In a picture shifted by whole pixels, landmarks are found at the same place within 3 % of the eye distance."""
    picture = cv2.copyMakeBorder(astronaut(), 40, 40, 40, 40, cv2.BORDER_REPLICATE)
    [reference] = detector().detect(np.asarray(picture, np.uint8))
    eyes = np.linalg.norm(reference.landmarks[1] - reference.landmarks[0])
    errors = []
    for dx, dy in [(1, 0), (0, 1), (3, 2), (5, 7), (11, 4), (17, 23), (30, 9)]:
        [face] = detector().detect(np.ascontiguousarray(picture[dy:, dx:]))
        errors.append(np.linalg.norm(face.landmarks + np.array([dx, dy]) - reference.landmarks, axis=1).mean())

    assert np.mean(errors) / eyes < 0.03


def test_results_do_not_change_with_thread_timing() -> None:
    pictures = [astronaut(), scaled(astronaut(), 300, 300), cat(), np.ascontiguousarray(astronaut()[:, ::-1])] * 6
    alone = [detector().detect(picture) for picture in pictures]

    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(detector().detect, pictures))

    assert all(_same(a, b) for a, b in zip(alone, together, strict=True))


def test_one_bad_picture_never_affects_another() -> None:
    good, broken = jpeg(astronaut()), jpeg(astronaut())[:20_000]
    alone = detector().detect(decoding.decode(good))

    def visit(number: int) -> list[DetectedFace] | None:
        try:
            return detector().detect(decoding.decode(broken if number % 2 else good))
        except ServiceError:
            return None

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(visit, range(24)))

    assert all(result is None for result in results[1::2])
    assert all(result is not None and _same(alone, result) for result in results[::2])


@needs_shared
def test_exactly_the_faces_of_the_group_photographs_are_found() -> None:
    with (SHARED_FACES / "groups.csv").open() as file:
        rows = list(csv.DictReader(file))

    counts = {row["file"]: len(detector().detect(read(SHARED_FACES / row["file"]))) for row in rows}

    assert counts == {row["file"]: int(row["faces"]) for row in rows}


class TestPyramid:
    def test_levels_shrink_by_the_factor_down_to_the_smallest_side(self) -> None:
        pyramid = Pyramid(astronaut(), 0.4, 0.709, smallest_side=8)

        sides = [level.image.shape[0] for level in pyramid.levels]
        assert sides[0] == 205
        assert sides[-1] >= 8 > sides[-1] * 0.709
        assert all(0.68 < b / a < 0.74 for a, b in pairwise(sides))

    @given(
        width=st.integers(48, 1500), height=st.integers(48, 300), first=st.floats(0.05, 1), factor=st.floats(0.2, 0.9)
    )
    @settings(max_examples=60)
    def test_every_pictures_levels_have_the_expected_sizes(
        self, width: int, height: int, first: float, factor: float
    ) -> None:
        pyramid = Pyramid(np.zeros((height, width, 3), np.uint8), first, factor, smallest_side=8)

        scales = [first * factor**i for i in range(len(pyramid.levels) + 1)]
        sizes = [level.image.shape[1::-1] for level in pyramid.levels]
        assert sizes == [(round(width * scale), round(height * scale)) for scale in scales[:-1]]
        assert min(width, height) * scales[-1] < 8 * (1 + 1e-9)

    def test_a_crop_shows_the_square(self) -> None:
        pyramid = Pyramid(astronaut(), 0.4, 0.709, smallest_side=8)
        square = np.array([[100, 50, 300, 250]], np.float32)

        [crop] = pyramid.crops(square, 48, (127, 127, 127))

        expected = scaled(np.ascontiguousarray(astronaut()[50:250, 100:300]), 48, 48)
        assert np.abs(crop.astype(int) - expected.astype(int)).mean() < 6

    def test_every_level_shows_the_same_place(self) -> None:
        """A crop is the same from every level, without a shift."""
        # Values rise by 1 per pixel, and fall in the mirrored picture. Rounding errors are equal in both; a shift's are
        # not.
        rising = np.ascontiguousarray(np.broadcast_to(np.arange(1, 241, dtype=np.uint8)[None, :, None], (240, 240, 3)))
        pyramids = [Pyramid(picture, 0.4, 0.709, smallest_side=8) for picture in (rising, 241 - rising)]

        for width in (24, 40, 60, 90, 130, 200):
            square = np.array([[20, 20, 20 + width, 20 + width]], np.float32)
            up, down = (pyramid.crops(square, 24, (127, 127, 127))[0].astype(int) for pyramid in pyramids)

            # Pixel i has the value i + 1 at its centre, i + 0.5.
            expected = 20.5 + width * (np.arange(24) + 0.5) / 24
            shift = ((up[:, :, 0] - expected) - (down[:, :, 0] - (241 - expected))) / 2
            assert np.abs(shift).max() < 1
            assert abs(shift.mean()) < 0.05

    def test_pixels_outside_the_picture_are_grey(self) -> None:
        pyramid = Pyramid(np.zeros((100, 100, 3), np.uint8), 0.4, 0.709, smallest_side=8)
        squares = np.array([[-60, -60, 60, 60], [500, 500, 600, 600]], np.float32)

        crops = pyramid.crops(squares, 24, (127, 127, 127))

        assert crops[0, :11, :11].min() == 127
        assert crops[0, 13:, 13:].max() == 0
        assert crops[1].min() == crops[1].max() == 127
