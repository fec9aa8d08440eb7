"""The detectors that use YuNet, on real pictures; they run where its published file is available."""

from __future__ import annotations

import csv
import resource
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from chalicelib.faces import Box, DetectedFace, Image
from chalicelib.vision import yunet_onet as module
from chalicelib.vision.detector import MAX_FACES, Detector
from chalicelib.vision.model_pack import Network
from chalicelib.vision.onet import MAX_CANDIDATES
from chalicelib.vision.yunet_onet import YunetOnet
from infra.local import sample_face
from tests.packs import SHARED_FACES, needs_retail, needs_shared, needs_yunet, retail_pack, yunet, yunet_onet
from tests.packs import detector as mtcnn
from tests.pictures import astronaut, cat, read, scaled
from tests.vision.crowds import crowd, glyphs

DETECTORS = {"yunet": yunet, "yunet-onet": yunet_onet}


@pytest.fixture(params=[pytest.param("yunet", marks=needs_yunet), pytest.param("yunet-onet", marks=needs_retail)])
def detector(request: pytest.FixtureRequest) -> Detector:
    return DETECTORS[request.param]()


class TestRealPictures:
    @pytest.mark.parametrize("side", [31, 35, 50, 100, 200, 400, 700])
    def test_faces_are_found_from_30_px_up(self, detector: Detector, side: int) -> None:
        [face] = detector.detect(astronaut())
        scale = side / min(face.box.right - face.box.left, face.box.bottom - face.box.top)
        picture = scaled(astronaut(), round(512 * scale), round(512 * scale))

        [found] = detector.detect(picture)

        expected = np.array([face.box.left, face.box.top, face.box.right, face.box.bottom]) * scale
        box = np.array([found.box.left, found.box.top, found.box.right, found.box.bottom])
        assert np.abs(box - expected).max() < 0.2 * side

    def test_a_face_that_fills_the_largest_picture_is_found(self, detector: Detector) -> None:
        picture = scaled(np.ascontiguousarray(astronaut()[40:210, 150:320]), 4096, 4096)

        [face] = detector.detect(picture)

        assert face.box.right - face.box.left > 1800

    @pytest.mark.parametrize(("size", "left", "top"), [(180, 900, 3500), (200, 3850, 3850), (182, 650, 660)])
    def test_a_small_face_is_found_in_the_largest_picture(
        self, detector: Detector, size: int, left: int, top: int
    ) -> None:
        picture = np.zeros((4096, 4096, 3), np.uint8)
        picture[top : top + size, left : left + size] = scaled(astronaut(), size, size)

        [face] = detector.detect(picture)

        assert left < face.box.left < face.box.right < left + size
        assert top < face.box.top < face.box.bottom < top + size

    def test_boxes_lie_inside_the_picture(self, detector: Detector) -> None:
        [face] = detector.detect(np.ascontiguousarray(astronaut()[75:220, 185:262]))

        assert (face.box.left, face.box.top) >= (0, 0)
        assert face.box.right == 77

    @pytest.mark.parametrize("picture", [cat(), np.zeros((48, 48, 3), np.uint8), np.full((48, 4096, 3), 255, np.uint8)])
    def test_no_face_is_found_in_pictures_without_faces(self, detector: Detector, picture: Image) -> None:
        assert detector.detect(picture) == []

    def test_no_face_is_found_in_noise(self, detector: Detector) -> None:
        assert detector.detect(np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)) == []

    def test_a_drawn_face_is_found(self, detector: Detector) -> None:
        assert len(detector.detect(sample_face.draw())) == 1

    def test_results_do_not_change_with_thread_timing(self, detector: Detector) -> None:
        pictures = [astronaut(), scaled(astronaut(), 300, 300), cat()] * 6
        alone = [_values(detector.detect(picture)) for picture in pictures]

        with ThreadPoolExecutor(8) as pool:
            together = list(pool.map(lambda picture: _values(detector.detect(picture)), pictures))

        assert together == alone

    def test_the_largest_picture_needs_little_memory(self, detector: Detector) -> None:
        """Runs in a separate process, after a small picture. The picture itself, 50 MB, does not count."""
        name = next(name for name, made in DETECTORS.items() if made() is detector)
        program = [sys.executable, "-c", f"import {__name__} as test; test.print_peak_growth({name!r})"]
        done = subprocess.run(program, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)

        assert int(done.stdout) < 150

    @needs_shared
    def test_exactly_the_faces_of_the_group_photographs_are_found(self, detector: Detector) -> None:
        rows = _rows("groups.csv")

        counts = {row["file"]: len(detector.detect(read(SHARED_FACES / row["file"]))) for row in rows}

        assert counts == {row["file"]: int(row["faces"]) for row in rows}

    @needs_shared
    def test_one_face_is_found_in_every_portrait(self, detector: Detector) -> None:
        counts = [len(detector.detect(read(SHARED_FACES / row["file"]))) for row in _rows("people.csv")]

        assert counts == [1] * 53


@needs_retail
class TestYunetWithOnet:
    @needs_shared
    def test_landmarks_scatter_no_more_than_mtcnns(self) -> None:
        """Each portrait is scaled, shifted and compressed. The distance between the eyes is the unit."""
        portraits = [read(SHARED_FACES / row["file"]) for row in _rows("people.csv")[::4]]
        ours, theirs = (np.mean([_scatter(found, one) for one in portraits]) for found in (yunet_onet(), mtcnn()))

        assert ours < theirs

    @pytest.mark.parametrize("angle", [-30, 30])
    def test_faces_that_lean_are_found_in_small_pictures(self, angle: int) -> None:
        turn = cv2.getRotationMatrix2D((75, 75), angle, 1)
        picture = np.asarray(cv2.warpAffine(scaled(astronaut(), 150, 150), turn, (150, 150)), np.uint8)

        assert len(_upright().detect(picture)) == 1

    def test_both_networks_decide(self) -> None:
        assert _upright(onet=lambda crops: _answers(crops, 9.0)).detect(astronaut())
        assert _upright(onet=lambda crops: _answers(crops, -1.3)).detect(astronaut()) == []
        blind = _upright(network=lambda pixels: np.zeros((1, _cells(pixels), 16), np.float32))
        assert blind.detect(astronaut()) == []

    @pytest.mark.parametrize("picture", [crowd(68, 60), glyphs(30, 4096)], ids=["faces", "what looks like faces"])
    def test_no_picture_exceeds_the_networks_limits(self, picture: Image) -> None:
        looked_at = 0

        def counted(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
            nonlocal looked_at
            looked_at += len(crops)
            return _answers(crops, 5.0)

        faces = _upright(onet=counted).detect(picture)

        assert looked_at <= 2 * MAX_CANDIDATES
        assert len(faces) <= MAX_FACES

    def test_a_result_cut_by_a_limit_is_marked_as_truncated(self, monkeypatch: pytest.MonkeyPatch) -> None:
        picture = crowd(4, 60)
        assert not _upright().detect(picture).truncated
        monkeypatch.setattr(module, "MAX_CANDIDATES", 10)

        faces = _upright().detect(picture)

        assert 0 < len(faces) <= 10
        assert faces.truncated


def _upright(network: Network | None = None, onet: Network | None = None) -> YunetOnet:
    """Return the default pack's detector of upright faces, with other networks if given."""
    pack = retail_pack()
    card = pack.detector
    return YunetOnet(card, network or pack.network(card.files["yunet"]), onet or pack.network(card.files["onet"]))


def _answers(crops: NDArray[np.uint8], odds: float) -> NDArray[np.float32]:
    answers = np.zeros((len(crops), 15), np.float32)
    answers[:, 0] = odds
    return answers


def _cells(pixels: NDArray[np.uint8]) -> int:
    height, width = pixels.shape[1:3]
    return sum(height * width // stride**2 for stride in (8, 16, 32))


def _scatter(found: Detector, portrait: Image) -> float:
    random = np.random.default_rng(5)
    shapes = []
    for scale in np.linspace(0.7, 1.5, 6):
        left, top = random.integers(0, 8, 2)
        cut = portrait[top:, left:]
        height, width = cut.shape[:2]
        seen = scaled(cut, round(width * scale), round(height * scale))
        _, file = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 80])
        [face] = found.detect(np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8))
        ratio = np.array([seen.shape[1] / width, seen.shape[0] / height])
        shapes.append((face.landmarks + 0.5) / ratio - 0.5 + (left, top))
    points = np.array(shapes)
    middle = np.median(points, axis=0)
    return float(np.linalg.norm(points - middle, axis=2).mean() / np.linalg.norm(middle[0] - middle[1]))


def _rows(name: str) -> list[dict[str, str]]:
    with (SHARED_FACES / name).open() as file:
        return list(csv.DictReader(file))


def _values(faces: list[DetectedFace]) -> list[tuple[Box, float, list[list[float]]]]:
    return [(face.box, face.confidence, face.landmarks.tolist()) for face in faces]


def print_peak_growth(name: str) -> None:
    """Print by how many MB the largest accepted picture raises this process's peak memory."""
    picture = np.random.default_rng(0).integers(0, 256, (4096, 4096, 3), np.uint8)
    detector = DETECTORS[name]()
    detector.detect(astronaut())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    detector.detect(picture)
    sys.stdout.write(str((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024))
