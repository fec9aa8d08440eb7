"""Write small TensorFlow Lite files, and describe the ones that tflite_reference.py ran in TensorFlow Lite."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
import tflite
from numpy.typing import NDArray

from tests.pictures import astronaut

RECORD = Path(__file__).with_name("tflite_reference.json")
"""From tests/models/tflite_reference.py: outputs of TensorFlow Lite for `NETWORKS`, and MobileFaceNet for `chips`."""

Array = NDArray[np.float32]
SAME, VALID = tflite.Padding.SAME, tflite.Padding.VALID
BATCH = 2


class Layer(NamedTuple):
    """An operator. Each input is a constant or a layer's index, with -1 for the network's input."""

    kind: str
    inputs: Sequence[int | NDArray[Any]]
    shape: Sequence[int]  # of the output, including the batch
    options: dict[str, int] = {}  # noqa: RUF012  # never changed


def write(side: Sequence[int], layers: Sequence[Layer], *, type_of_tensors: int = tflite.TensorType.FLOAT32) -> bytes:
    """Return a file of a network that takes BATCH pictures of height, width and channels `side`."""
    tensors: list[tuple[Sequence[int], NDArray[Any] | None]] = [((BATCH, *side), None)]
    tensors += [(layer.shape, None) for layer in layers]
    operators = []
    for place, layer in enumerate(layers):
        inputs = []
        for given in layer.inputs:
            inputs.append(given + 1 if isinstance(given, int) else len(tensors))
            if not isinstance(given, int):
                tensors.append((given.shape, given))
        operators.append((layer, inputs, place + 1))
    builder = flatbuffers.Builder(1 << 16)
    kinds = sorted({layer.kind for layer in layers})
    codes = [
        _table(builder, "OperatorCode", BuiltinCode=_code(kind), DeprecatedBuiltinCode=_code(kind)) for kind in kinds
    ]
    buffers = [_table(builder, "Buffer")]
    places: dict[int, int] = {}  # places of constants' buffers, which several tensors may share
    written = []
    for shape, values in tensors:
        if values is not None and id(values) not in places:
            places[id(values)] = len(buffers)
            buffers.append(_table(builder, "Buffer", Data=builder.CreateByteVector(values.tobytes())))
        shape_vector = builder.CreateNumpyVector(np.array(shape, np.int32))
        buffer = 0 if values is None else places[id(values)]
        kind = type_of_tensors if values is None or values.dtype == np.float32 else tflite.TensorType.INT32
        written.append(_table(builder, "Tensor", Shape=shape_vector, Type=kind, Buffer=buffer))
    run = []
    for layer, inputs, output in operators:
        fields: dict[str, Any] = {
            "OpcodeIndex": kinds.index(layer.kind),
            "Inputs": builder.CreateNumpyVector(np.array(inputs, np.int32)),
            "Outputs": builder.CreateNumpyVector(np.array([output], np.int32)),
        }
        if layer.options:
            name = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}.get(layer.kind)
            name = name or f"{layer.kind.title()}Options"
            fields["BuiltinOptions"] = _table(builder, name, **layer.options)
            fields["BuiltinOptionsType"] = getattr(tflite.BuiltinOptions, name)
        run.append(_table(builder, "Operator", **fields))
    graph = _table(
        builder,
        "SubGraph",
        Tensors=_vector(builder, written),
        Inputs=builder.CreateNumpyVector(np.array([0], np.int32)),
        Outputs=builder.CreateNumpyVector(np.array([len(layers)], np.int32)),
        Operators=_vector(builder, run),
    )
    parts = {"OperatorCodes": codes, "Subgraphs": [graph], "Buffers": buffers}
    vectors = {name: _vector(builder, tables) for name, tables in parts.items()}
    builder.Finish(_table(builder, "Model", Version=3, **vectors), b"TFL3")
    return bytes(builder.Output())


def _code(kind: str) -> int:
    return int(getattr(tflite.BuiltinOperator, kind))


def _table(builder: Any, name: str, **fields: int) -> int:
    getattr(tflite, f"{name}Start")(builder)
    for field, value in fields.items():
        getattr(tflite, f"{name}Add{field}")(builder, value)
    return int(getattr(tflite, f"{name}End")(builder))


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def values(*shape: int, seed: int = 0) -> Array:
    # Uses RandomState, because NumPy guarantees its numbers in every version.
    return np.random.RandomState(seed).uniform(-1, 1, shape).astype(np.float32)


def window(padding: int = SAME, stride: int = 1, dilation: int = 1, **more: int) -> dict[str, int]:
    return {
        "Padding": padding,
        "StrideH": stride,
        "StrideW": stride,
        "DilationHFactor": dilation,
        "DilationWFactor": dilation,
        **more,
    }


def row(place: int, numbers: int) -> Layer:
    return Layer("RESHAPE", [place, np.array([BATCH, numbers], np.int32)], (BATCH, numbers))


def convolution(side: int, kernel: int, made: int, padding: int, stride: int, dilation: int = 1) -> list[Layer]:
    weights, bias = values(4, kernel, kernel, 3, seed=1), values(4, seed=2)
    options = window(padding, stride, dilation)
    return [
        Layer("CONV_2D", [-1, weights, bias], (BATCH, made, made, 4), options),
        row(0, made * made * 4),
    ]


def depthwise(side: int, kernel: int, made: int, padding: int, stride: int, multiplier: int) -> list[Layer]:
    weights, bias = values(1, kernel, kernel, 3 * multiplier, seed=1), values(3 * multiplier, seed=2)
    options = window(padding, stride, DepthMultiplier=multiplier)
    return [
        Layer("DEPTHWISE_CONV_2D", [-1, weights, bias], (BATCH, made, made, 3 * multiplier), options),
        row(0, made * made * 3 * multiplier),
    ]


def prelu(x: int, first: int, half_slopes: Array, shape: Sequence[int]) -> list[Layer]:
    """Return relu(x) + half * (x - |x|) as the layers `first` to `first + 4`."""
    return [
        Layer("RELU", [x], shape),
        Layer("ABS", [x], shape),
        Layer("SUB", [x, first + 1], shape),
        Layer("MUL", [half_slopes, first + 2], shape),
        Layer("ADD", [first, first + 3], shape),
    ]


def with_prelu(half_slopes: Array) -> list[Layer]:
    return [*prelu(-1, 0, half_slopes, (BATCH, 5, 5, 3)), row(4, 75)]


def elementwise() -> list[Layer]:
    """Layers that resemble a PReLU but are not: |x| - x, and constants of every shape allowed beside a map."""
    shape = (BATCH, 5, 5, 3)
    return [
        Layer("RELU", [-1], shape),
        Layer("ABS", [-1], shape),
        Layer("SUB", [1, -1], shape),
        Layer("MUL", [2, values(3, seed=3)], shape),
        Layer("ADD", [0, 3], shape),
        Layer("ADD", [4, values(5, 5, 3, seed=4)], shape),
        Layer("SUB", [values(1, 1, 5, 3, seed=5), 5], shape),
        Layer("MUL", [6, values(1, seed=6)], shape),
        row(7, 75),
        Layer("ADD", [8, values(75, seed=7)], (BATCH, 75)),
    ]


def pointwise_after_pointwise() -> list[Layer]:
    """Two convolutions with fewer weights when merged, a third with more, and one that is read twice."""

    def layer(x: int, outputs: int, inputs: int, seed: int) -> Layer:
        constants = values(outputs, 1, 1, inputs, seed=seed), values(outputs, seed=seed + 1)
        return Layer("CONV_2D", [x, *constants], (BATCH, 5, 5, outputs), window())

    return [
        layer(-1, 8, 3, 1),
        layer(0, 2, 8, 3),
        layer(1, 8, 2, 5),
        layer(2, 8, 8, 7),
        layer(3, 8, 8, 9),
        Layer("ADD", [4, 3], (BATCH, 5, 5, 8)),
        row(5, 200),
    ]


NETWORKS: dict[str, Callable[[], bytes]] = {
    "zeros even in number": lambda: write((7, 7, 3), convolution(7, 3, 4, SAME, 2)),
    "zeros odd in number": lambda: write((8, 8, 3), convolution(8, 3, 4, SAME, 2)),
    "zeros for an even kernel": lambda: write((5, 5, 3), convolution(5, 2, 5, SAME, 1)),
    "more stride than kernel": lambda: write((8, 8, 3), convolution(8, 1, 3, SAME, 3)),
    "no zeros": lambda: write((8, 8, 3), convolution(8, 3, 3, VALID, 2)),
    "dilated": lambda: write((8, 8, 3), convolution(8, 3, 8, SAME, 1, dilation=2)),
    "depthwise": lambda: write((8, 8, 3), depthwise(8, 3, 4, SAME, 2, multiplier=1)),
    "depthwise with a multiplier": lambda: write((7, 7, 3), depthwise(7, 3, 5, VALID, 1, multiplier=2)),
    "a slope a channel": lambda: write((5, 5, 3), with_prelu(values(3, seed=8))),
    "one slope": lambda: write((5, 5, 3), with_prelu(np.full(3, 0.125, np.float32))),
    "elementwise": lambda: write((5, 5, 3), elementwise()),
    "pointwise after pointwise": lambda: write((5, 5, 3), pointwise_after_pointwise()),
}


def recorded() -> dict[str, Any]:
    record: dict[str, Any] = json.loads(RECORD.read_text())
    return record


def chips() -> NDArray[np.uint8]:
    """Return eight chips for MobileFaceNet, n x 112 x 112 x 3 RGB: noise, coarse noise, ramps and a face, twice."""
    random = np.random.RandomState(0)
    noise = [random.randint(0, 256, (112, 112, 3)) for _ in range(2)]
    coarse = [random.randint(0, 256, (14, 14, 3)).repeat(8, axis=0).repeat(8, axis=1) for _ in range(2)]
    ramp = np.broadcast_to((np.arange(112) * 2)[:, None, None], (112, 112, 3))
    face = astronaut()[58:170, 168:280]
    return np.stack([*noise, *coarse, ramp, ramp.transpose(1, 0, 2), face, face[:, ::-1]]).astype(np.uint8)


def prepared(pixels: NDArray[np.uint8]) -> Array:
    """Return chips in MobileFaceNet's input form, n x 112 x 112 x 3."""
    return (pixels.astype(np.float32) - np.float32(127.5)) * np.float32(0.0078125)
