"""TensorFlow Lite networks: converted ones match recorded answers of TensorFlow Lite, unsupported ones are refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import tflite
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from chalicelib.vision.model_pack import EmbedderCard, embedder_card, read_card
from models import build, conversion, tflite_network
from models.onnx_graph import serialize
from tests.models import tflite_files
from tests.models.tflite_files import NETWORKS, SAME, Array, Layer, values, window, write
from tests.packs import mobilefacenet_file

SIDE = (5, 5, 3)
MAP = (2, 5, 5, 3)


def run(model: onnx.ModelProto | bytes, pictures: Array) -> NDArray[np.float32]:
    """Run a network over pictures, n x height x width x channels."""
    file = model if isinstance(model, bytes) else serialize(model)
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(None, {"chips": np.ascontiguousarray(pictures.transpose(0, 3, 1, 2))})[0])


def relative(answers: NDArray[Any], expected: NDArray[Any]) -> float:
    return float((np.linalg.norm(answers - expected, axis=1) / np.linalg.norm(expected, axis=1)).max())


class TestSmallNetworks:
    @pytest.mark.parametrize("name", NETWORKS)
    def test_small_networks_agree_with_tensorflow_lite(self, name: str) -> None:
        expected = np.array(tflite_files.recorded()["networks"][name])
        model = tflite_network.convert(NETWORKS[name]())
        _, channels, height, width = (size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim)

        answers = run(model, values(2, height, width, channels, seed=9))

        assert answers == pytest.approx(expected, abs=2e-6)

    @pytest.mark.parametrize(
        ("name", "operators"),
        [
            ("a slope a channel", ["PRelu", "Transpose", "Flatten"]),
            ("one slope", ["LeakyRelu", "Transpose", "Flatten"]),
            ("pointwise after pointwise", ["Conv", "Conv", "Conv", "Add", "Transpose", "Flatten"]),
        ],
    )
    def test_related_operators_become_one_node(self, name: str, operators: list[str]) -> None:
        assert [node.op_type for node in tflite_network.convert(NETWORKS[name]()).graph.node] == operators

    def test_operators_without_effect_on_the_output_are_left_out(self) -> None:
        unread = Layer("ABS", [-1], MAP)

        model = tflite_network.convert(write(SIDE, [unread, Layer("RELU", [-1], MAP), tflite_files.row(1, 75)]))

        assert [node.op_type for node in model.graph.node] == ["Relu", "Transpose", "Flatten"]


@pytest.fixture(scope="module")
def model() -> onnx.ModelProto:
    return tflite_network.convert(mobilefacenet_file().read_bytes())


class TestMobileFaceNet:
    @pytest.mark.parametrize("batch", [1, 2, 8])
    def test_mobilefacenet_agrees_with_tensorflow_lite(self, model: onnx.ModelProto, batch: int) -> None:
        expected = np.array(tflite_files.recorded()["embeddings"])
        chips = tflite_files.prepared(tflite_files.chips())

        answers = np.concatenate([run(model, part) for part in np.split(chips, len(chips) // batch)])

        assert answers.shape == (8, 192)
        between = np.linalg.norm(expected[:, None] - expected[None], axis=2)[np.triu_indices(8, 1)]
        assert between.min() > 1  # chips differ, so that a wrong layer shows
        assert relative(answers, expected) < 1e-5

    def test_channel_order_and_composed_prelus_are_converted(self, model: onnx.ModelProto) -> None:
        # The original has 52 convolutions; two are folded into the next.
        assert Counter(node.op_type for node in model.graph.node) == {"Conv": 50, "PRelu": 33, "Add": 12, "Flatten": 1}

    def test_the_packs_file_has_half_the_size_and_nearly_equal_face_embeddings(self) -> None:
        """Uses only faces. Embeddings of noise and ramps, which are not faces, move by up to 0.0022."""
        expected = np.array(tflite_files.recorded()["embeddings"])[6:]
        faces = tflite_files.prepared(tflite_files.chips()[6:])

        file = conversion.convert_embedder("tflite", card(), {"embedder": mobilefacenet_file().read_bytes()})[
            "embedder.onnx"
        ]

        assert len(file) < 2_400_000
        assert relative(run(file, faces), expected) < 1e-3

    def test_conversion_is_reproducible(self) -> None:
        published = mobilefacenet_file().read_bytes()

        first, second = (conversion.convert_embedder("tflite", card(), {"embedder": published}) for _ in range(2))

        assert first == second


def card() -> EmbedderCard:
    return embedder_card(read_card(build.CARDS / "mobilefacenet.toml"))


def one(kind: str, inputs: Sequence[int | Array], options: dict[str, int] | None = None) -> bytes:
    """Return a file with one operator of this kind, and one that flattens its output."""
    return write(SIDE, [Layer(kind, inputs, MAP, options or {}), tflite_files.row(0, 75)])


def sharing(constant: Array) -> bytes:
    """Return a file whose operators all read one constant, each as a tensor of its own."""
    many = [Layer("ADD", [place - 1, constant], MAP) for place in range(100)]
    return write(SIDE, [*many, tflite_files.row(99, 75)])


KERNEL = values(3, 1, 1, 3)
REFUSED: dict[str, Callable[[], bytes]] = {
    "it has the operator SOFTMAX; only ABS, ADD, ": lambda: one("SOFTMAX", [-1]),
    "its CONV_2D has the activation RELU6 built in": lambda: one(
        "CONV_2D", [-1, KERNEL, values(3)], window(FusedActivationFunction=tflite.ActivationFunctionType.RELU6)
    ),
    "its ADD has the activation RELU built in": lambda: one(
        "ADD", [-1, values(3)], {"FusedActivationFunction": tflite.ActivationFunctionType.RELU}
    ),
    "quantised networks are not converted": lambda: write(
        SIDE, [Layer("RELU", [-1], MAP), tflite_files.row(0, 75)], type_of_tensors=tflite.TensorType.INT8
    ),
    "its CONV_2D has no options": lambda: one("CONV_2D", [-1, KERNEL, values(3)]),
    r"its CONV_2D has the strides \(0, 0\)": lambda: one("CONV_2D", [-1, KERNEL, values(3)], window(SAME, 0)),
    r"weights of the shape \(3, 1, 1, 2\) and \(3,\) for 3 channels": lambda: one(
        "CONV_2D", [-1, values(3, 1, 1, 2), values(3)], window()
    ),
    r"weights of the shape \(2, 1, 1, 3\) and \(3,\) for 3 channels": lambda: one(
        "DEPTHWISE_CONV_2D", [-1, values(2, 1, 1, 3), values(3)], window()
    ),
    "the weights of its CONV_2D must be constants": lambda: one("CONV_2D", [-1, -1, values(3)], window()),
    "kernel of its CONV_2D is larger than its input": lambda: one(
        "CONV_2D", [-1, values(3, 7, 7, 3), values(3)], window(tflite_files.VALID)
    ),
    r"its RESHAPE turns \(5, 5, 3\) per picture into \(2, 5, 15\)": lambda: write(
        SIDE, [Layer("RESHAPE", [-1], (2, 5, 15))]
    ),
    "its ADD has inputs of shapes that are not converted": lambda: write(
        SIDE, [tflite_files.row(-1, 75), Layer("ADD", [-1, 0], MAP), tflite_files.row(1, 75)]
    ),
    r"a constant of the shape \(2, 5, 5, 3\) beside": lambda: one("ADD", [-1, values(*MAP)]),
    "its ADD has 1 inputs": lambda: one("ADD", [-1]),
    "its RELU reads tensor 2 before it is computed": lambda: write(
        SIDE, [Layer("RELU", [1], MAP), Layer("RELU", [0], MAP), tflite_files.row(1, 75)]
    ),
    r"its output has the shape \(5, 5, 3\) per picture": lambda: write(SIDE, [Layer("RELU", [-1], MAP)]),
    r"it takes the shape \(2, 75\), not pictures": lambda: write((75,), [Layer("RELU", [-1], (2, 75))]),
    r"its CONV_2D gives the shape \(2048, 2048, 8\), which is too large": lambda: write(
        (2048, 2048, 3), [Layer("CONV_2D", [-1, values(8, 1, 1, 3), values(8)], (2, 2048, 2048, 8), window())]
    ),
    "its constants are together larger than the file": lambda: sharing(values(5, 5, 3)),
    "it has 2001 operators": lambda: write(SIDE, [Layer("RELU", [-1], MAP)] * 2001),
    "it is not a TensorFlow Lite file": lambda: b"\x08\x07" * 100,
}


class TestFilesThatAreRefused:
    @pytest.mark.parametrize("reason", REFUSED)
    def test_one_sentence_names_the_unsupported_part(self, reason: str) -> None:
        with pytest.raises(ValueError, match=reason) as raised:
            tflite_network.convert(REFUSED[reason]())

        assert "\n" not in str(raised.value)

    def test_a_truncated_file_is_refused_wherever_it_ends(self) -> None:
        file = NETWORKS["a slope a channel"]()

        for end in range(0, len(file) - 4, 7):
            with pytest.raises(ValueError, match=r"^it|^the TensorFlow Lite file is damaged$"):
                tflite_network.convert(file[:end])

    @given(data=st.data(), name=st.sampled_from(list(NETWORKS)))
    @settings(max_examples=150, deadline=None)
    def test_a_damaged_file_is_refused_or_converted(self, data: st.DataObject, name: str) -> None:
        """No error but ValueError is raised, whichever numbers in the file are changed."""
        file = bytearray(NETWORKS[name]())
        places = st.integers(0, len(file) // 4 - 1)
        for place in data.draw(st.lists(places, min_size=1, max_size=4)):
            word = data.draw(st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1)))
            file[4 * place : 4 * place + 4] = word.to_bytes(4, "little")

        try:
            onnx.checker.check_model(tflite_network.convert(bytes(file)))
        except ValueError as error:
            assert str(error)  # noqa: PT017  # either is right
