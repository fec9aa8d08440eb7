"""Networks in OpenVINO's intermediate representation give OpenVINO's numbers, and errors name the layer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from models import openvino_ir
from models.build import CARDS
from models.onnx_graph import serialize
from tests.models.retail_0095_reference import chips, recorded
from tests.packs import RETAIL_FILES, needs_retail

PROJECTION = (CARDS / "retail-0095-projection.bin").read_bytes()


def _run(model: onnx.ModelProto, values: NDArray[np.float32]) -> NDArray[np.float32]:
    session = onnxruntime.InferenceSession(serialize(model), providers=["CPUExecutionProvider"])
    output: NDArray[np.float32] = session.run(None, {"chips": values})[0]
    return output


@pytest.fixture(scope="module")
def published() -> dict[str, bytes]:
    return {role: file.read_bytes() for role, file in RETAIL_FILES.items()}


@needs_retail
class TestRetail0095:
    @pytest.mark.parametrize("batch", [1, 8])
    def test_the_network_agrees_with_openvino(self, published: dict[str, bytes], batch: int) -> None:
        model = openvino_ir.convert(published)
        expected = recorded()

        answers = np.concatenate([_run(model, chips()[i : i + batch]) for i in range(0, 8, batch)])

        assert np.linalg.norm(expected[0] - expected[1]) > 1  # chips differ, so that a wrong layer shows
        assert (np.linalg.norm(answers - expected, axis=1) / np.linalg.norm(expected, axis=1)).max() < 1e-5

    def test_160_dimensions_keep_every_distance(self, published: dict[str, bytes]) -> None:
        whole = _distances(_run(openvino_ir.convert(published), chips()))
        projected = _run(openvino_ir.convert({**published, "projection": PROJECTION}), chips())

        assert projected.shape == (8, 160)
        assert np.abs(_distances(projected) - whole).max() < 1e-5

    def test_slopes_and_biases_are_fused_and_weights_stay_float16(self, published: dict[str, bytes]) -> None:
        model = openvino_ir.convert({**published, "projection": PROJECTION})

        kinds = [node.op_type for node in model.graph.node]
        assert kinds.count("Conv") == 80
        assert kinds.count("LeakyRelu") == 48
        assert kinds.count("GlobalAveragePool") == 15
        assert "PRelu" not in kinds
        assert len(serialize(model)) < 2_700_000

    def test_conversion_is_reproducible(self, published: dict[str, bytes]) -> None:
        first, second = (openvino_ir.convert({**published, "projection": PROJECTION}) for _ in range(2))

        assert serialize(first) == serialize(second)

    def test_a_truncated_file_is_refused(self, published: dict[str, bytes]) -> None:
        with pytest.raises(ValueError, match="is not whole in the BIN file"):
            openvino_ir.convert({**published, "bin": published["bin"][:-1]})


def test_the_projections_rows_are_orthonormal() -> None:
    matrix = np.frombuffer(PROJECTION, "<i4").reshape(160, 256) / 2**24

    assert np.abs(matrix @ matrix.T - np.eye(160)).max() < 1e-6


class TestASmallNetwork:
    """Two layers that a test can compute itself: a convolution of 1 x 1, and a layer after it."""

    def test_a_slope_for_each_channel_stays_a_prelu(self) -> None:
        slopes = np.array([0.5, 0.25], np.float32)
        network = _ir(_const("slopes", slopes.reshape(1, 2, 1, 1)), _layer("act", "PReLU", ("conv", "slopes")))

        model = openvino_ir.convert(network)

        values = -np.ones((1, 3, 1, 1), np.float32)
        assert "PRelu" in {node.op_type for node in model.graph.node}
        assert _run(model, values)[0] == pytest.approx([-3 * 0.5, -6 * 0.25])

    def test_a_sum_with_another_layer_is_not_a_bias(self) -> None:
        network = _ir(_layer("twice", "Add", ("conv", "conv"), auto_broadcast="numpy"))

        assert _run(openvino_ir.convert(network), np.ones((2, 3, 1, 1), np.float32))[0] == pytest.approx([6, 12])

    @pytest.mark.parametrize(
        ("layer", "reason"),
        [
            ({"kind": "Softmax"}, "the layer last has the type Softmax, which is not supported"),
            (
                {"kind": "Add", "auto_broadcast": "pdpd"},
                "the layer last has auto_broadcast = pdpd; only numpy is supported",
            ),
            ({"kind": "AvgPool", "auto_pad": "same_upper"}, "the layer last has auto_pad = same_upper"),
            ({"kind": "Convolution", "dilations": "2, 2"}, "the layer last has dilations = 2,2; only 1,1 is supported"),
        ],
    )
    def test_unknown_layers_and_attributes_are_refused_and_named(self, layer: dict[str, str], reason: str) -> None:
        kind = layer.pop("kind")

        with pytest.raises(ValueError, match=reason):
            openvino_ir.convert(_ir(_layer("last", kind, ("conv", "weights"), **layer)))

    @pytest.mark.parametrize(("kind", "number"), [("Convolution", 2), ("Add", 2), ("Sigmoid", 1), ("PReLU", 2)])
    def test_a_layer_without_its_inputs_is_refused(self, kind: str, number: int) -> None:
        with pytest.raises(ValueError, match=f"the layer last has 0 inputs, not {number}"):
            openvino_ir.convert(_ir(_layer("last", kind, ())))

    @pytest.mark.parametrize(
        "xml", [b"", b"<net>", b"\xff\xfe", b"<net/>", b'<!DOCTYPE x [<!ENTITY a "b">]><net>&a;</net>']
    )
    def test_a_file_that_is_not_ir_is_refused(self, xml: bytes) -> None:
        with pytest.raises(ValueError, match="XML file"):
            openvino_ir.convert({"xml": xml, "bin": b""})

    @pytest.mark.parametrize("projection", [b"", bytes(4), bytes(12)])
    def test_a_projection_of_the_wrong_size_is_refused(self, projection: bytes) -> None:
        with pytest.raises(ValueError, match="not a multiple of 4 x 2"):
            openvino_ir.convert({**_ir(), "projection": projection})

    def test_a_projection_is_multiplied_exactly(self) -> None:
        matrix = openvino_ir.stored_projection(np.array([[0.6, 0.8]]))

        model = openvino_ir.convert({**_ir(), "projection": matrix})

        assert _run(model, np.ones((1, 3, 1, 1), np.float32))[0] == pytest.approx([0.6 * 3 + 0.8 * 6], abs=1e-6)


def _distances(embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    unit = embeddings.astype(np.float64)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    return np.asarray(np.linalg.norm(unit[:, None] - unit[None], axis=2))


Layer = tuple[str, str, tuple[str, ...], Mapping[str, str], bytes]


def _layer(name: str, kind: str, inputs: tuple[str, ...], **attributes: str) -> Layer:
    return name, kind, inputs, attributes, b""


def _const(name: str, values: NDArray[np.float32]) -> Layer:
    shape = ", ".join(map(str, values.shape))
    return name, "Const", (), {"element_type": "f32", "shape": shape}, values.tobytes()


def _ir(*layers: Layer) -> dict[str, bytes]:
    """Write an IR: 3 channels of 1 x 1 px, a convolution that sums them once and twice, `layers`, and a result."""
    kernel = np.array([[1, 1, 1], [2, 2, 2]], np.float32).reshape(2, 3, 1, 1)
    strides = {"strides": "1, 1", "pads_begin": "0, 0", "pads_end": "0, 0", "dilations": "1, 1", "auto_pad": "explicit"}
    every = [
        ("chips", "Parameter", (), {"shape": "1,3,1,1"}, b""),
        _const("weights", kernel),
        ("conv", "Convolution", ("chips", "weights"), strides, b""),
        *layers,
    ]
    every.append(("result", "Result", (every[-1][0],), {}, b""))
    numbers = {name: str(place) for place, (name, *_) in enumerate(every)}
    shapes = {"chips": (1, 3, 1, 1)}
    xml, edges, constants = "", "", b""
    for name, kind, inputs, attributes, data in every:
        place = {"offset": str(len(constants)), "size": str(len(data))} if kind == "Const" else {}
        constants += data
        written = " ".join(f'{key}="{value}"' for key, value in {**attributes, **place}.items())
        sides = "".join(f"<dim>{side}</dim>" for side in shapes.get(name, (1, 2, 1, 1)))
        xml += f'<layer id="{numbers[name]}" name="{name}" type="{kind}"><data {written}/>'
        xml += f'<output><port id="9">{sides}</port></output></layer>'
        for port, feed in enumerate(inputs):
            edges += f'<edge from-layer="{numbers[feed]}" from-port="9" to-layer="{numbers[name]}" to-port="{port}"/>'
    return {"xml": f"<net><layers>{xml}</layers><edges>{edges}</edges></net>".encode(), "bin": constants}
