"""The facenet pack: the network against the package's own module, with substitutes for the trained weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime
import pytest

from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import ModelPack
from models import facenet
from models.onnx_graph import serialize
from models.torch_checkpoint import CheckpointError
from tests.models import torch_files
from tests.models.facenet_weights import chips, recorded_embeddings, recorded_weights
from tests.packs import detector
from tests.pictures import astronaut


@pytest.fixture(scope="module", params=[torch_files.older_form, torch_files.zip_form])
def model(request: pytest.FixtureRequest) -> onnx.ModelProto:
    write: Callable[[torch_files.Tensors], bytes] = request.param
    return facenet.convert(write(recorded_weights()))


def test_the_network_agrees_with_the_packages_module(model: onnx.ModelProto) -> None:
    expected = recorded_embeddings()

    session = onnxruntime.InferenceSession(serialize(model), providers=["CPUExecutionProvider"])
    answers = session.run(None, {"chips": chips()})[0]

    assert answers.shape == (3, 512)
    assert np.linalg.norm(expected[0] - expected[1]) > 10  # chips differ, so that a wrong layer shows
    assert (np.linalg.norm(answers - expected, axis=1) / np.linalg.norm(expected, axis=1)).max() < 1e-5


def test_normalisations_are_folded_and_the_classifier_is_left_out(model: onnx.ModelProto) -> None:
    assert {node.op_type for node in model.graph.node} == {
        "Add", "Concat", "Conv", "Flatten", "Gemm", "GlobalAveragePool", "MaxPool", "Relu",
    }  # fmt: skip
    assert all(10 not in tensor.dims for tensor in model.graph.initializer)


def test_a_checkpoint_without_a_tensor_is_refused_and_the_tensor_is_named() -> None:
    weights = recorded_weights()
    del weights["repeat_2.3.branch1.1.bn.running_var"]

    with pytest.raises(CheckpointError, match=r"has no repeat_2\.3\.branch1\.1\.bn\.running_var"):
        facenet.convert(torch_files.zip_form(weights))


class TestThePack:
    def test_embeddings_are_the_modules_scaled_to_unit_length_and_calibrated(self, facenet_pack: ModelPack) -> None:
        """Uses chips of whole numbers, which the pack maps by (x - 127.5) / 128. Weights are stored as float16."""
        pixels = np.clip(np.rint(chips() * 128 + 127.5), 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)
        expected = recorded_embeddings()
        expected = expected / np.linalg.norm(expected, axis=1, keepdims=True) * (0.65 / 1.04)

        embeddings = Embedder(facenet_pack.embedder, facenet_pack.network("embedder.onnx")).embed_chips(list(pixels))

        assert embeddings.shape == (3, 512)
        assert np.linalg.norm(embeddings, axis=1) == pytest.approx(0.65 / 1.04)
        assert np.linalg.norm(embeddings - expected, axis=1).max() < 0.01

    def test_the_packs_file_is_half_as_large_as_the_weights(self, facenet_pack: ModelPack) -> None:
        network = facenet_pack.folder / "embedder.onnx"

        assert 45e6 < network.stat().st_size < 50e6

    def test_the_template_matches_landmarks_in_a_box_with_a_margin(self, facenet_pack: ModelPack) -> None:
        """The margin is 14 px of the chip's 160, as in facenet-pytorch's LFW evaluation. Faces vary by some pixels."""
        [face] = detector().detect(astronaut())
        corner = np.array([face.box.left, face.box.top])
        sides = np.array([face.box.right, face.box.bottom]) - corner

        placed = (face.landmarks + 0.5 - corner) / sides * (160 - 14) + 14 / 2 - 0.5

        assert np.abs(placed - np.array(facenet_pack.embedder.template)).mean() < 8
