"""Converts dlib's face recognition ResNet from its .dat file to ONNX.

The file is a recursive dump of the C++ type `loss_metric<fc_no_bias<128, avg_pool_everything<...>>>` in dlib's
`dnn_face_recognition_ex.cpp`. The format follows dlib's serialize.h, cuda/tensor_tools.h, dnn/core.h and dnn/layers.h:

- An integer is a control byte (0x80: sign, low four bits: byte count) and a little-endian magnitude.
- A float is a mantissa and a binary exponent.
- A layer is its version, then the layers below it, then its own details.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from models.onnx_graph import Graph

INPUT_SIZE = 150
DIMENSION = 128

_TAG_OR_SKIP, _ADD_LAYER, _ADD_FIRST_LAYER = 1, 2, 3


class DatFileError(ValueError):
    """The file is not dlib's face recognition network."""


@dataclass(frozen=True)
class Layer:
    """One layer: its kind, its numbers (kernel, stride, padding, ...) and its parameters (float32, flat)."""

    kind: str
    numbers: tuple[int, ...] = ()
    parameters: NDArray[np.float32] | None = None


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def take(self, count: int) -> bytes:
        if count < 0 or self.position + count > len(self._data):
            raise DatFileError("the file ends too early")
        chunk = self._data[self.position : self.position + count]
        self.position += count
        return chunk

    def integer(self) -> int:
        control = self.take(1)[0]
        magnitude = int.from_bytes(self.take(control & 0x0F), "little")
        return -magnitude if control & 0x80 else magnitude

    def integers(self, count: int) -> tuple[int, ...]:
        return tuple(self.integer() for _ in range(count))

    def floating(self) -> float:
        mantissa, exponent = self.integers(2)
        return float(mantissa) * 2.0**exponent

    def floats(self, count: int) -> None:
        for _ in range(count):
            self.floating()

    def string(self) -> str:
        return self.take(self.integer()).decode("ascii")

    def booleans(self, count: int) -> None:
        if any(flag not in b"01" for flag in self.take(count)):
            raise DatFileError("a boolean is neither 0 nor 1")

    def tensor(self) -> NDArray[np.float32]:
        version, *sizes = self.integers(5)
        if version != 2:
            raise DatFileError(f"a tensor has version {version}; only 2 is supported")
        return np.frombuffer(self.take(4 * int(np.prod(sizes))), "<f4")

    def alias_tensor(self) -> None:
        self.integers(5)

    @property
    def at_end(self) -> bool:
        return self.position == len(self._data)


def _details(reader: _Reader) -> Layer:
    kind = reader.string()
    if kind == "con_4":
        parameters = reader.tensor()
        numbers = reader.integers(7)  # filters, kernel y x, stride y x, padding y x
        reader.alias_tensor()
        reader.alias_tensor()
        reader.floats(4)  # learning rate and weight decay multipliers
        return Layer("con", numbers, parameters)
    if kind == "affine_":
        parameters = reader.tensor()
        reader.alias_tensor()
        reader.alias_tensor()
        reader.integer()  # per channel or per element
        return Layer("affine", (), parameters)
    if kind in ("max_pool_2", "avg_pool_2"):
        return Layer(kind.removesuffix("_2"), reader.integers(6))  # kernel y x, stride y x, padding y x
    if kind == "fc_2":
        numbers = reader.integers(2)  # outputs, inputs
        parameters = reader.tensor()
        reader.alias_tensor()
        reader.alias_tensor()
        reader.integer()  # with or without bias
        reader.floats(4)
        return Layer("fc", numbers, parameters)
    if kind in ("relu_", "add_prev_"):
        return Layer(kind.removesuffix("_"))
    raise DatFileError(f"the layer {kind!r} is not part of the network")


def _layers(reader: _Reader) -> list[Layer]:
    version = reader.integer()
    if version == _TAG_OR_SKIP:
        return [*_layers(reader), Layer("mark")]
    if version == _ADD_LAYER:
        below = _layers(reader)
    elif version == _ADD_FIRST_LAYER:
        if reader.string() != "input_rgb_image_sized":
            raise DatFileError("the input is not an RGB image of fixed size")
        reader.floats(3)  # mean red, green, blue: the card has them
        if reader.integers(2) != (INPUT_SIZE, INPUT_SIZE):
            raise DatFileError(f"the input is not {INPUT_SIZE} x {INPUT_SIZE} px")
        below = []
    else:
        raise DatFileError(f"a layer has version {version}; only 1 to 3 are supported")
    layer = _details(reader)
    reader.booleans(3)
    for _ in range(3):
        reader.tensor()  # gradients and cached output: empty in a cleaned network
    if version == _ADD_FIRST_LAYER:
        reader.integer()
    return [*below, layer]


def parse(data: bytes) -> list[Layer]:
    """Return the network's layers from input to output; the kind of both tags and skips is `mark`.

    Raises
    ------
    DatFileError
        If the bytes are not this network, or if bytes are left over.
    """
    reader = _Reader(data)
    if reader.integer() != 1 or reader.string() != "loss_metric_2":
        raise DatFileError("it is not a network trained with loss_metric")
    reader.floats(2)  # margin and distance threshold of the loss
    layers = _layers(reader)
    if not reader.at_end:
        raise DatFileError("bytes are left over after the network")
    return layers


@dataclass(frozen=True)
class _Tensor:
    name: str
    channels: int
    side: int


class _Converter:
    """Walks the layers from input to output and writes the ONNX nodes."""

    def __init__(self) -> None:
        self.graph = Graph("dlib_face_recognition_resnet")
        self.now = _Tensor("chips", 3, INPUT_SIZE)
        self._block_start = self.now
        self._shortened_block_end: _Tensor | None = None

    def mark(self, before: str, after: str) -> None:
        if after == "mark":  # tag2: the end of a block that halves its input
            self._shortened_block_end = self.now
        elif before == "mark":  # skip1: back to the start of this block
            self.now = self._block_start
        else:  # tag1: a block begins
            self._block_start = self.now

    def convolution(self, layer: Layer, affine: Layer) -> None:
        filters, height, width, stride, _, padding, _ = layer.numbers
        assert layer.parameters is not None
        assert affine.parameters is not None
        count = filters * self.now.channels * height * width
        kernel = layer.parameters[:count].reshape(filters, self.now.channels, height, width).astype(np.float64)
        bias = layer.parameters[count:].astype(np.float64)
        gamma, beta = affine.parameters.astype(np.float64).reshape(2, filters)
        name = self.graph.op(
            "Conv",
            self.now.name,
            self.graph.weight((kernel * gamma[:, None, None, None]).astype(np.float32)),
            self.graph.weight((bias * gamma + beta).astype(np.float32)),
            kernel_shape=[height, width],
            strides=[stride, stride],
            pads=[padding] * 4,
        )
        self.now = _Tensor(name, filters, (self.now.side + 2 * padding - height) // stride + 1)

    def pool(self, kind: str, layer: Layer) -> None:
        window, _, stride, *_ = layer.numbers
        if window == 0:
            self.now = _Tensor(self.graph.op("GlobalAveragePool", self.now.name), self.now.channels, 1)
            return
        name = self.graph.op(kind, self.now.name, kernel_shape=[window, window], strides=[stride, stride])
        self.now = _Tensor(name, self.now.channels, (self.now.side - window) // stride + 1)

    def add(self) -> None:
        """Add the start of the block, or the stored end of a block that halves its input, to the current tensor.

        Like dlib, pad the smaller tensor with zeros at its end, in channels and in space.
        """
        other = self._shortened_block_end or self._block_start
        self._shortened_block_end = None
        channels, side = max(self.now.channels, other.channels), max(self.now.side, other.side)
        names = [self._padded(tensor, channels, side) for tensor in (self.now, other)]
        self.now = _Tensor(self.graph.op("Add", *names), channels, side)

    def _padded(self, tensor: _Tensor, channels: int, side: int) -> str:
        if (tensor.channels, tensor.side) == (channels, side):
            return tensor.name
        grow = side - tensor.side
        pads = np.array([0, 0, 0, 0, 0, channels - tensor.channels, grow, grow], np.int64)
        return self.graph.op("Pad", tensor.name, self.graph.weight(pads))

    def fully_connected(self, layer: Layer) -> None:
        outputs, inputs = layer.numbers
        assert layer.parameters is not None
        flat = self.graph.op("Flatten", self.now.name)
        self.graph.op("MatMul", flat, self.graph.weight(layer.parameters.reshape(inputs, outputs)), output="embeddings")


def convert(data: bytes) -> onnx.ModelProto:
    """Return the network as ONNX, float32: `chips` (n, 3, 150, 150) RGB, normalised -> `embeddings` (n, 128).

    Every affine layer is folded into the convolution before it, in float64.

    Raises
    ------
    DatFileError
        If the bytes are not this network.
    """
    layers = parse(data)
    kinds = ["", *(layer.kind for layer in layers), ""]
    converter = _Converter()
    for index, layer in enumerate(layers):
        before, after = kinds[index], kinds[index + 2]
        match layer.kind:
            case "con":
                converter.convolution(layer, layers[index + 1])
            case "relu":
                converter.now = replace(converter.now, name=converter.graph.op("Relu", converter.now.name))
            case "max_pool":
                converter.pool("MaxPool", layer)
            case "avg_pool":
                converter.pool("AveragePool", layer)
            case "mark":
                converter.mark(before, after)
            case "add_prev":
                converter.add()
            case "fc":
                converter.fully_connected(layer)
    return converter.graph.model(
        {"chips": (TensorProto.FLOAT, ["n", 3, INPUT_SIZE, INPUT_SIZE])}, {"embeddings": ["n", DIMENSION]}
    )
