"""Faces that lie on their side are found and returned in the coordinates of the original picture."""

from __future__ import annotations

import csv
from itertools import cycle

import cv2
import numpy as np
import pytest
from skimage import data

from chalicelib.faces import Box, DetectedFace, Found, Image
from chalicelib.images import decoding
from chalicelib.service.face_service import as_crop
from chalicelib.vision import quality
from chalicelib.vision.detector import Detector
from chalicelib.vision.turned import CONFIDENCES, TurnedDetector
from chalicelib.wiring import upright_detector
from tests.packs import SHARED_CASES, SHARED_FACES, detector, dlib_pack, needs_shared, needs_yunet, yunet
from tests.pictures import astronaut, cat, read

needs_cases = pytest.mark.skipif(not SHARED_CASES.exists(), reason="the pictures are not in ../shared")


def leaning(image: Image, degrees: float) -> tuple[Image, np.ndarray]:
    """Turn an image counterclockwise on a larger black one. Return it and the 2 x 3 matrix that maps points to it."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    side = int(np.ceil(np.hypot(width, height)))
    matrix[:, 2] += ((side - width) / 2, (side - height) / 2)
    return np.asarray(cv2.warpAffine(image, matrix, (side, side)), np.uint8), matrix


class Counted:
    """A detector that records the shape of every image it is given."""

    def __init__(self, found: Detector) -> None:
        self._found = found
        self.looks: list[tuple[int, ...]] = []

    def detect(self, image: Image) -> Found[DetectedFace]:
        self.looks.append(image.shape)
        return self._found.detect(image)


@pytest.mark.parametrize("degrees", [0, 30, 45, 75, 90, 120, 135, 165, 180, 225, 270, 300, 345])
def test_landmarks_and_box_are_in_the_original_pictures_coordinates(degrees: int) -> None:
    [upright] = detector().detect(astronaut())[:1]
    picture, matrix = leaning(astronaut(), degrees)
    expected = np.c_[upright.landmarks, np.ones(5)] @ matrix.T
    eyes = float(np.linalg.norm(upright.landmarks[1] - upright.landmarks[0]))

    [face, *others] = detector().detect(picture)

    assert others == []
    assert np.linalg.norm(face.landmarks - expected, axis=1).max() < 0.25 * eyes
    middle = (face.box.left + face.box.right) / 2, (face.box.top + face.box.bottom) / 2
    assert np.linalg.norm(middle - expected.mean(axis=0)) < 0.5 * eyes
    assert 0.5 < face.box.area / upright.box.area < 2


def test_the_roll_refers_to_the_original_picture() -> None:
    for degrees, roll in ((90, -90), (270, 90), (135, -135)):
        picture, _ = leaning(astronaut(), degrees)

        [face] = detector().detect(picture)

        assert quality.pose(face.landmarks)[2] == pytest.approx(roll, abs=8)


def test_a_picture_with_a_face_is_searched_once() -> None:
    counted = Counted(upright_detector(dlib_pack()))

    TurnedDetector(counted, CONFIDENCES["mtcnn"], 0.94).detect(astronaut())

    assert len(counted.looks) == 1


@needs_yunet
@needs_shared
def test_yunet_searches_pictures_with_a_face_once_and_finds_lying_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """YuNet is never as confident as MTCNN, so the limits are its own."""
    turned = yunet()
    assert isinstance(turned, TurnedDetector)
    counted = Counted(turned._detector)
    monkeypatch.setattr(turned, "_detector", counted)
    with (SHARED_FACES / "people.csv").open(newline="") as file:
        people = [read(SHARED_FACES / row["file"]) for row in csv.DictReader(file)][::5]

    for person in people:
        turned.detect(person)
    assert len(counted.looks) == len(people)

    for person, degrees in zip(people, cycle((90, 180, 270)), strict=False):
        assert len(turned.detect(leaning(person, degrees)[0])) == 1


@pytest.mark.parametrize(
    "picture", [cat(), data.coffee(), data.rocket(), data.hubble_deep_field(), data.immunohistochemistry()]
)
def test_pictures_without_faces_have_none_when_turned(picture: Image) -> None:
    assert detector().detect(np.ascontiguousarray(picture)) == []


def test_large_pictures_are_reduced_before_they_are_turned() -> None:
    counted = Counted(upright_detector(dlib_pack()))

    TurnedDetector(counted, CONFIDENCES["mtcnn"], 0.94).detect(np.zeros((4096, 2048, 3), np.uint8))

    assert [max(shape) for shape in counted.looks[:4]] == [4096, 2048, 2048, 2048]
    assert len(counted.looks) == 8
    assert max(max(shape) for shape in counted.looks[4:]) < 1024 * 1.42


def test_a_face_in_a_reduced_picture_has_coordinates_of_the_large_one() -> None:
    large = np.zeros((3072, 4096, 3), np.uint8)
    large[200:712, 3000:3512] = np.rot90(astronaut())
    [upright] = detector().detect(astronaut())

    [face] = detector().detect(large)

    # np.rot90 maps (x, y) to (y, 511 - x).
    expected = np.stack([upright.landmarks[:, 1] + 3000, 511 - upright.landmarks[:, 0] + 200], axis=1)
    assert np.linalg.norm(face.landmarks - expected, axis=1).max() < 8


@pytest.mark.parametrize("quarters", [0, 1, 2, 3])
def test_the_crop_of_a_lying_face_is_upright(quarters: int) -> None:
    picture = np.ascontiguousarray(np.rot90(astronaut(), quarters))
    [face] = detector().detect(picture)

    crop = as_crop(picture, "name", face, "detector")

    image = decoding.decode_crop(crop.jpeg)
    assert image is not None
    [again] = upright_detector(dlib_pack()).detect(image)
    assert crop.landmarks is not None
    assert np.linalg.norm(again.landmarks - crop.landmarks, axis=1).max() < 4
    assert abs(quality.pose(crop.landmarks)[2]) < 15


class Certain:
    """Finds one face per search, with these confidences in turn. A confidence of 0 means no face."""

    def __init__(self, confidences: list[float]) -> None:
        self._confidences = confidences

    def detect(self, _: Image) -> Found[DetectedFace]:
        confidence = self._confidences.pop(0)
        face = DetectedFace(Box(10, 20, 40, 60), np.zeros((5, 2), np.float32), confidence)
        return Found([face] if confidence else [], truncated=False)


def test_the_turn_with_the_most_certain_face_wins() -> None:
    [face] = TurnedDetector(Certain([0, 0.7, 0.999, 0.8]), CONFIDENCES["mtcnn"], 0.7).detect(
        np.zeros((100, 200, 3), np.uint8)
    )

    assert face.confidence == 0.999


@pytest.mark.parametrize(
    ("standing", "lying", "taken"), [(0.96, 0.999, 0.999), (0.96, 0.98, 0.96), (0.97, 0.999, 0.97)]
)
def test_a_certain_face_replaces_a_doubtful_one(standing: float, lying: float, taken: float) -> None:
    detector = TurnedDetector(Certain([standing, lying, 0, 0, 0, 0, 0, 0]), CONFIDENCES["mtcnn"], 0.7)

    [face] = detector.detect(np.zeros((100, 200, 3), np.uint8))

    assert face.confidence == taken


def test_diagonals_are_tried_if_a_quarter_turns_face_is_uncertain() -> None:
    detector = TurnedDetector(Certain([0, 0, 0.95, 0, 0, 0.97, 0, 0]), CONFIDENCES["mtcnn"], 0.7)

    [face] = detector.detect(np.zeros((100, 200, 3), np.uint8))

    assert face.confidence == 0.97


def test_boxes_stay_within_the_picture() -> None:
    [face] = TurnedDetector(Certain([0, 0, 0, 0, 0.9, 0, 0, 0]), CONFIDENCES["mtcnn"], 0.7).detect(
        np.zeros((64, 64, 3), np.uint8)
    )

    assert 0 <= face.box.left < face.box.right <= 64
    assert 0 <= face.box.top < face.box.bottom <= 64


@needs_cases
@pytest.mark.parametrize("name", ["sideways_no_exif.jpg", "rolled_75_degrees.jpg"])
def test_real_pictures_of_lying_faces_are_read_correctly(name: str) -> None:
    image = decoding.decode((SHARED_CASES / name).read_bytes())

    [face] = detector().detect(image)

    assert abs(quality.pose(face.landmarks)[2]) > 60


@needs_shared
def test_faces_are_found_at_any_angle() -> None:
    """`python -m tests.harness.benchmarks.leaning` looks at all people and all angles."""
    with (SHARED_FACES / "people.csv").open(newline="") as file:
        people = [read(SHARED_FACES / row["file"]) for row in csv.DictReader(file)][::6]

    for degrees in (90, 180, 270, 45, 150, 285):
        assert all(detector().detect(leaning(person, degrees)[0]) for person in people), degrees


@needs_shared
def test_turning_finds_no_false_faces() -> None:
    assert detector().detect(read(SHARED_FACES / "no-faces.jpg")) == []
