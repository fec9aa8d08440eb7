"""Pictures with more faces than are returned, and the limits on the work that they cause."""

from __future__ import annotations

import numpy as np
import pytest

from chalicelib.faces import Image
from chalicelib.vision import mtcnn, onet
from chalicelib.vision.detector import MAX_FACES
from chalicelib.vision.model_pack import Network
from chalicelib.vision.mtcnn import Mtcnn
from tests.packs import detector, dlib_pack, needs_yunet, yunet
from tests.pictures import astronaut
from tests.vision.crowds import crowd, glyphs

SMALL = 40


def test_the_largest_of_many_faces_are_returned() -> None:
    picture = crowd(24, SMALL)
    picture[:512, :512] = astronaut()

    faces = detector().detect(picture)

    areas = [face.box.area for face in faces]
    assert (len(faces), faces.truncated) == (MAX_FACES, True)
    assert areas == sorted(areas, reverse=True)
    assert faces[0].box.right - faces[0].box.left > 2 * SMALL


def test_all_of_a_few_faces_are_returned() -> None:
    faces = detector().detect(crowd(8, 2 * SMALL))

    assert (len(faces), faces.truncated) == (64, False)


@pytest.mark.parametrize("bound", ["MAX_LEVEL_PROPOSALS", "MAX_PROPOSALS", "MAX_CANDIDATES"])
def test_a_result_cut_by_a_limit_is_marked_as_truncated(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(mtcnn, bound, 10)

    faces = detector().detect(crowd(8, 2 * SMALL))

    assert 0 < len(faces) < 64
    assert faces.truncated


@needs_yunet
def test_yunet_also_limits_the_number_of_faces() -> None:
    faces = yunet().detect(crowd(20, 2 * SMALL))

    assert (len(faces), faces.truncated) == (MAX_FACES, True)


@pytest.mark.parametrize("picture", [crowd(68, 60), glyphs(30, 4096)], ids=["faces", "what looks like faces"])
def test_no_picture_exceeds_the_networks_limits(picture: Image) -> None:
    looked_at = {"rnet": 0, "onet": 0}
    pack = dlib_pack()
    pnet = pack.network(pack.detector.files["pnet"])

    def counted(role: str, outputs: int) -> Network:
        network = pack.network(pack.detector.files[role])

        def run(crops: np.ndarray) -> np.ndarray:
            looked_at[role] += len(crops)
            return network(crops) if role == "rnet" else np.full((len(crops), outputs), 5, np.float32) * 0.1

        return run

    Mtcnn(pack.detector, pnet, counted("rnet", 5), counted("onet", 15)).detect(picture)

    assert 0 < looked_at["rnet"] <= mtcnn.MAX_PROPOSALS
    assert looked_at["onet"] <= 2 * onet.MAX_CANDIDATES
