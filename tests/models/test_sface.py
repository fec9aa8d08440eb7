"""The SFace pack's whole path against OpenCV's own, with a small stand-in for the weights."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from chalicelib.vision.alignment import align
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import ModelPack
from tests.models.stand_in import stand_in_for_sface
from tests.packs import build_with, detector
from tests.pictures import astronaut, scaled


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("sface") / "stand_in.onnx"
    file.write_bytes(stand_in_for_sface())
    return file


@pytest.fixture(scope="module")
def pack(stand_in: Path, tmp_path_factory: pytest.TempPathFactory) -> ModelPack:
    return build_with("sface", tmp_path_factory.mktemp("pack"), embedder=stand_in)


def test_embeddings_are_opencvs_scaled_to_unit_length_and_calibrated(pack: ModelPack, stand_in: Path) -> None:
    # This face's chip is scaled only slightly, because OpenCV has no protection against aliasing.
    picture = astronaut()
    face = detector().detect(picture)[0]
    recognizer = cv2.FaceRecognizerSF.create(str(stand_in), "")
    row = np.concatenate([[0, 0, 1, 1], face.landmarks.reshape(-1), [1]]).astype(np.float32)[None]
    chip = recognizer.alignCrop(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), row)
    feature = recognizer.feature(chip).reshape(-1)
    expected = feature / np.linalg.norm(feature) * (0.65 / 1.128)
    embedder = Embedder(pack.embedder, pack.network(pack.embedder.file))

    from_opencvs_chip = embedder.embed_chips([np.ascontiguousarray(chip[..., ::-1])])[0]
    from_our_chip = embedder.embed(picture, [face.landmarks])[0]

    assert np.abs(from_opencvs_chip - expected).max() < 1e-4
    assert np.linalg.norm(from_our_chip - expected) < 0.02


def test_chips_equal_opencvs_except_for_anti_aliasing(pack: ModelPack, stand_in: Path) -> None:
    picture = scaled(astronaut(), 256, 256)
    face = detector().detect(picture)[0]
    row = np.concatenate([[0, 0, 1, 1], face.landmarks.reshape(-1), [1]]).astype(np.float32)[None]
    recognizer = cv2.FaceRecognizerSF.create(str(stand_in), "")

    expected = recognizer.alignCrop(picture, row)
    chip = align(picture, face.landmarks, np.array(pack.embedder.template), pack.embedder.input_size)

    assert np.abs(chip.astype(int) - expected.astype(int)).max() <= 2


def test_several_chips_are_embedded_in_one_run(pack: ModelPack) -> None:
    chips = [np.random.default_rng(i).integers(0, 256, (112, 112, 3), np.uint8) for i in range(3)]
    embedder = Embedder(pack.embedder, pack.network(pack.embedder.file))

    together = embedder.embed_chips(chips)

    assert together == pytest.approx(np.concatenate([embedder.embed_chips([chip]) for chip in chips]), abs=1e-5)
    assert np.linalg.norm(together, axis=1) == pytest.approx(0.65 / 1.128)
