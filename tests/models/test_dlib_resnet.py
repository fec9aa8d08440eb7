"""The converted embedder against dlib itself."""

from __future__ import annotations

from pathlib import Path

import dlib
import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from models import dlib_resnet, onnx_graph
from tests.packs import dlib_pack, embedder, published
from tests.pictures import astronaut


@pytest.fixture(scope="module")
def weights() -> bytes:
    return published("embedder")["embedder"]


@pytest.fixture(scope="module")
def chips() -> list[NDArray[np.uint8]]:
    picture = astronaut()
    parts = [picture[y : y + 150, x : x + 150] for y, x in ((20, 150), (60, 170), (300, 10))]
    noise = np.random.default_rng(3).integers(0, 256, (150, 150, 3), np.uint8)
    return [np.ascontiguousarray(part) for part in (*parts, noise)]


@pytest.fixture(scope="module")
def reference(weights: bytes, chips: list[NDArray[np.uint8]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("dlib") / "resnet.dat"
    file.write_bytes(weights)
    return file


def test_the_converted_embedder_agrees_with_dlib(
    weights: bytes, chips: list[NDArray[np.uint8]], reference: Path
) -> None:
    network = dlib.face_recognition_model_v1(str(reference))
    expected = np.array([network.compute_face_descriptor(chip) for chip in chips])
    pixels = (np.stack(chips).astype(np.float32) - np.array([122.782, 117.001, 104.298], np.float32)) / 256
    model = onnx_graph.serialize(dlib_resnet.convert(weights))

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    answers = session.run(None, {"chips": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))})[0]

    assert np.abs(answers - expected).max() < 1e-5


def test_the_pack_averages_dlibs_embeddings_of_a_chip_and_its_mirror_image(
    chips: list[NDArray[np.uint8]], reference: Path
) -> None:
    """The weights are stored as float16, which moves an embedding of length 1.5 by 0.0005."""
    network = dlib.face_recognition_model_v1(str(reference))
    straight = np.array([network.compute_face_descriptor(chip) for chip in chips])
    mirrored = np.array([network.compute_face_descriptor(np.ascontiguousarray(chip[:, ::-1])) for chip in chips])
    expected = (straight + mirrored) / 2 * dlib_pack().embedder.calibration

    answers = embedder().embed_chips(chips)

    assert np.linalg.norm(answers - expected, axis=1).max() < 1e-3
    assert answers.dtype == np.float32
    assert answers.shape == (4, dlib_pack().embedder.dimension)
    assert np.linalg.norm(straight - mirrored, axis=1).min() > 0.1


@pytest.mark.parametrize("cut", [1, 1000, 22_000_000])
def test_a_truncated_file_is_refused(weights: bytes, cut: int) -> None:
    with pytest.raises(dlib_resnet.DatFileError):
        dlib_resnet.parse(weights[:-cut])


def test_a_file_with_extra_bytes_is_refused(weights: bytes) -> None:
    with pytest.raises(dlib_resnet.DatFileError, match="left over"):
        dlib_resnet.parse(weights + b"\0")
