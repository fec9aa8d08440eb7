"""Converts a network from OpenVINO's intermediate representation (IR), an XML and a BIN file, to ONNX.

The XML lists the layers in the order they are computed, and the edges between them. The BIN file has the constants.
Only the operators in face-reidentification-retail-0095 are supported, from OpenVINO's operation set 1.

Three rewrites keep the numbers and halve the time in ONNX Runtime:

- A bias becomes part of its convolution.
- A PReLU with one slope for all channels becomes a LeakyRelu, which ONNX Runtime fuses into the convolution.
- An average over the whole map becomes a GlobalAveragePool.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element  # nosec B405  # only for its type: defusedxml parses

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from models.onnx_graph import MIN_HALF_ELEMENTS, Graph

Numbers = NDArray[np.float64]

_DTYPES: dict[str, np.dtype[Any]] = {"f16": np.dtype("<f2"), "f32": np.dtype("<f4")}
# float16 numbers are multiples of 2^-24, and so are the numbers in a projection.
_UNITS = 2.0**24
_LARGEST = 2**63 - 1
_INPUTS = {
    "Add": 2,
    "AvgPool": 1,
    "Const": 0,
    "Convert": 1,
    "Convolution": 2,
    "GroupConvolution": 2,
    "Multiply": 2,
    "PReLU": 2,
    "Parameter": 0,
    "Result": 1,
    "Sigmoid": 1,
}
_NEEDED = {
    "Convolution": {"auto_pad": "explicit", "dilations": "1,1"},
    "GroupConvolution": {"auto_pad": "explicit", "dilations": "1,1"},
    "AvgPool": {"auto_pad": "explicit", "rounding_type": "floor", "exclude-pad": "true", "pads_begin": "0,0"},
    "Add": {"auto_broadcast": "numpy"},
    "Multiply": {"auto_broadcast": "numpy"},
}


class Layer(NamedTuple):
    """One layer: its operator, its attributes, its input layers in order, and the shape of its output."""

    name: str
    kind: str
    attributes: dict[str, str]
    inputs: list[str]
    shape: list[int]


def convert(files: Mapping[str, bytes]) -> onnx.ModelProto:
    """Return the network as ONNX, float32: `chips` (n, 3, height, width) -> `embeddings` (n, dimension).

    Parameters
    ----------
    files
        `xml` and `bin` are the contents of the IR's two files, with constants in float16 or float32. `projection` is
        optional: a matrix that multiplies the last convolution, in the format that `projected` describes.

    Raises
    ------
    ValueError
        If the files are not an IR with one input and one output, or have a layer that is not supported.
    """
    return _Converter(read(files["xml"]), files["bin"], files.get("projection")).model()


def read(xml: bytes) -> dict[str, Layer]:
    """Return the layers by id, each after its input layers."""
    root = _parsed(xml)
    feeds: dict[str, dict[int, str]] = {}
    for edge in root.iterfind("edges/edge"):
        into = feeds.setdefault(edge.attrib["to-layer"], {})
        into[int(edge.attrib["to-port"])] = edge.attrib["from-layer"]
    layers: dict[str, Layer] = {}
    for element in root.iterfind("layers/layer"):
        number = element.attrib["id"]
        inputs = [feed for _, feed in sorted(feeds.get(number, {}).items())]
        if missing := [feed for feed in inputs if feed not in layers]:
            raise ValueError(f"the layer {element.attrib['name']} comes before its input, layer {missing[0]}")
        data = element.find("data")
        attributes = {} if data is None else {key: _tight(value) for key, value in data.attrib.items()}
        shape = [int(size.text or "") for size in element.iterfind("output/port/dim")]
        layers[number] = Layer(element.attrib["name"], element.attrib["type"], attributes, inputs, shape)
    if not layers:
        raise ValueError("its XML file lists no layers")
    return layers


def projected(kernel: Numbers, projection: bytes) -> Numbers:
    """Return the product of a projection and the kernel of a convolution (channels x ...).

    `projection` is a matrix (dimension x channels) of little-endian int32, in units of 2^-24. The product is computed
    with integers, so that it is identical on every machine: a pack's id depends on it.

    Raises
    ------
    ValueError
        If the matrix does not have `channels` columns, or the kernel's numbers are not float16.
    """
    channels = len(kernel)
    if not projection or len(projection) % (4 * channels):
        raise ValueError(f"the projection has {len(projection)} bytes, not a multiple of 4 x {channels}")
    matrix = np.frombuffer(projection, "<i4").reshape(-1, channels).astype(np.int64)
    values = kernel.reshape(channels, -1) * _UNITS
    whole = np.rint(values).astype(np.int64)
    if (whole != values).any() or np.abs(whole).max() * np.abs(matrix).max() > _LARGEST // channels:
        raise ValueError("the projected convolution has numbers that are not float16")
    return np.asarray((matrix @ whole).astype(np.float64) / _UNITS**2).reshape(-1, *kernel.shape[1:])


def stored_projection(matrix: Numbers) -> bytes:
    """Return a matrix in the format that `projected` reads."""
    return np.rint(matrix * _UNITS).astype("<i4").tobytes()


class _Converter:
    def __init__(self, layers: dict[str, Layer], constants: bytes, projection: bytes | None) -> None:
        self._layers = layers
        self._bytes = constants
        self._projection = projection
        self._graph = Graph("openvino_ir")
        self._users: dict[str, list[str]] = {}
        for number, layer in layers.items():
            for feed in layer.inputs:
                self._users.setdefault(feed, []).append(number)
        self._constants: dict[str, Numbers] = {}
        self._tensors: dict[str, str] = {}

    def model(self) -> onnx.ModelProto:
        [source], [result] = (self._only(kind) for kind in ("Parameter", "Result"))
        shape = self._layers[source].shape
        if len(shape) != 4 or shape[1] != 3:
            raise ValueError(
                f"the network takes {' x '.join(map(str, shape))} values; it must take n x 3 x height x width"
            )
        for number, layer in self._layers.items():
            self._check(layer)
            if layer.kind == "Const":
                self._constants[number] = self._read(layer)
            elif layer.kind == "Convert":
                self._constants[number] = self._constant(layer, 0)
            elif number == source:
                self._tensors[number] = "chips"
            elif number != result and number not in self._tensors:
                self._tensors[number] = self._node(number, layer)
        last = self._layers[result].inputs[0]
        self._graph.op("Flatten", self._tensors[last], output="embeddings")
        dimension = int(np.prod(self._layers[last].shape[1:]))
        if self._projection is not None:
            dimension = len(self._projection) // (4 * dimension)
        return self._graph.model({"chips": (TensorProto.FLOAT, ["n", *shape[1:]])}, {"embeddings": ["n", dimension]})

    def _only(self, kind: str) -> list[str]:
        found = [number for number, layer in self._layers.items() if layer.kind == kind]
        if len(found) != 1:
            raise ValueError(f"the network has {len(found)} layers of the type {kind}, not one")
        return found

    def _check(self, layer: Layer) -> None:
        for attribute, value in _NEEDED.get(layer.kind, {}).items():
            found = layer.attributes.get(attribute, value)
            if found != value:
                raise ValueError(f"the layer {layer.name} has {attribute} = {found}; only {value} is supported")
        expected = _INPUTS.get(layer.kind, len(layer.inputs))
        if len(layer.inputs) != expected:
            raise ValueError(f"the layer {layer.name} has {len(layer.inputs)} inputs, not {expected}")

    def _read(self, layer: Layer) -> Numbers:
        kind = layer.attributes["element_type"]
        if kind not in _DTYPES:
            raise ValueError(f"the constant {layer.name} has the type {kind}; it must be f16 or f32")
        offset, size = int(layer.attributes["offset"]), int(layer.attributes["size"])
        shape = [int(side) for side in layer.attributes["shape"].split(",") if side]
        data = self._bytes[offset : offset + size]
        if offset < 0 or len(data) != size or size != _DTYPES[kind].itemsize * int(np.prod(shape)):
            raise ValueError(f"the constant {layer.name} is not whole in the BIN file")
        return np.frombuffer(data, _DTYPES[kind]).astype(np.float64).reshape(shape)

    def _constant(self, layer: Layer, place: int) -> Numbers:
        values = self._constants.get(layer.inputs[place])
        if values is None:
            raise ValueError(f"the layer {layer.name} needs a constant as its input {place}")
        return values

    def _node(self, number: str, layer: Layer) -> str:
        """Write the ONNX node of a layer; return the name of its output."""
        now = self._tensors.get(layer.inputs[0])
        if now is None:
            raise ValueError(f"the layer {layer.name} has a constant as its first input")
        if layer.kind in ("Convolution", "GroupConvolution"):
            return self._convolution(number, layer, now)
        if layer.kind in ("Add", "Multiply"):
            return self._graph.op({"Add": "Add", "Multiply": "Mul"}[layer.kind], now, self._second(layer))
        if layer.kind == "PReLU":
            return self._prelu(layer, now)
        if layer.kind == "Sigmoid":
            return self._graph.op("Sigmoid", now)
        if layer.kind == "AvgPool":
            return self._average(layer, now)
        raise ValueError(f"the layer {layer.name} has the type {layer.kind}, which is not supported")

    def _second(self, layer: Layer) -> str:
        tensor = self._tensors.get(layer.inputs[1])
        return tensor or self._weight(self._constant(layer, 1))

    def _convolution(self, number: str, layer: Layer, now: str) -> str:
        kernel = self._constant(layer, 1)
        groups = 1
        if layer.kind == "GroupConvolution":  # (groups, out, in, height, width)
            groups = len(kernel)
            kernel = kernel.reshape(-1, *kernel.shape[2:])
        bias, last = self._bias(number, len(kernel))
        if self._projection is not None and self._feeds_result(last):
            kernel, bias = (projected(values, self._projection) for values in (kernel, bias))
        attributes: dict[str, Any] = {
            "kernel_shape": list(kernel.shape[2:]),
            "strides": _pair(layer, "strides"),
            "pads": [*_pair(layer, "pads_begin"), *_pair(layer, "pads_end")],
            "group": groups,
        }
        output = self._graph.op("Conv", now, self._weight(kernel), self._weight(bias), **attributes)
        self._tensors[last] = output
        return output

    def _bias(self, number: str, channels: int) -> tuple[Numbers, str]:
        """Return the bias of a convolution and the last layer that it covers: the Add of the bias, or itself."""
        users = self._users.get(number, [])
        if len(users) == 1 and (layer := self._layers[users[0]]).kind == "Add":
            values = self._constants_of(layer)
            if values is not None and values.size == channels and values.shape[:2] == (1, channels):
                return values.reshape(channels), users[0]
        return np.zeros(channels), number

    def _constants_of(self, layer: Layer) -> Numbers | None:
        """Return the constant that is a layer's second input, or None if that is not a constant.

        The constant comes after the convolution in the file, so it is read here.
        """
        feed = self._layers[layer.inputs[1]]
        if feed.kind == "Convert":
            feed = self._layers[feed.inputs[0]]
        return self._read(feed) if feed.kind == "Const" else None

    def _feeds_result(self, number: str) -> bool:
        return [self._layers[user].kind for user in self._users.get(number, [])] == ["Result"]

    def _prelu(self, layer: Layer, now: str) -> str:
        slopes = self._constant(layer, 1)
        if slopes.size == 1:
            return self._graph.op("LeakyRelu", now, alpha=float(slopes.reshape(())))
        return self._graph.op("PRelu", now, self._weight(slopes.reshape(-1, 1, 1)))

    def _average(self, layer: Layer, now: str) -> str:
        kernel = _pair(layer, "kernel")
        if kernel == self._layers[layer.inputs[0]].shape[2:]:
            return self._graph.op("GlobalAveragePool", now)
        return self._graph.op("AveragePool", now, kernel_shape=kernel, strides=_pair(layer, "strides"))

    def _weight(self, values: Numbers) -> str:
        if values.size >= MIN_HALF_ELEMENTS and (values == values.astype(np.float16)).all():
            return self._graph.half_weight(values)
        return self._graph.weight(values.astype(np.float32))


def _parsed(xml: bytes) -> Element:
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root: Element = fromstring(xml)
    except (ParseError, ValueError, LookupError) as error:
        raise ValueError("its XML file cannot be read") from error
    return root


def _tight(value: str) -> str:
    return value.replace(" ", "")


def _pair(layer: Layer, attribute: str) -> list[int]:
    return [int(size) for size in layer.attributes[attribute].split(",")]
