"""Converts an embedder that is published for TensorFlow Lite, such as MobileFaceNet, to ONNX.

TensorFlow stores a map as (height, width, channels), ONNX as (channels, height, width). Constants are transposed here,
so that maps need no transposing at run time.

MobileFaceNet: Chen et al., "MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile Devices",
2018, arXiv:1804.07573.
"""

from __future__ import annotations

import math

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from models import tflite_file
from models.onnx_graph import Graph
from models.tflite_file import Array, Network, Operator, TFLiteError

# 64 MB; the largest map of MobileFaceNet has 401,408 numbers.
MAX_NUMBERS_IN_A_MAP = 1 << 24

_ELEMENTWISE = {"ABS": "Abs", "ADD": "Add", "MUL": "Mul", "RELU": "Relu", "SUB": "Sub"}


def convert(data: bytes) -> onnx.ModelProto:
    """Return the network as `chips` (n, channels, height, width) float32 -> `embeddings` (n, dimension).

    The network takes any number of chips per run, whatever the batch size in the file. RELU, ABS, SUB, MUL and ADD that
    together compute a PReLU become one PRelu. If all channels have the same slope, they become a LeakyRelu, which ONNX
    Runtime runs as part of the convolution before it.

    Raises
    ------
    ValueError
        If the file is damaged or a part of it cannot be converted; the message names the part.
    """
    return _Converter(tflite_file.read(data)).model()


class _Converter:
    def __init__(self, network: Network) -> None:
        self._network = network
        self._operators = _needed(_with_prelus(network), network.output)
        self._graph = Graph("tflite")
        self._names = {network.input: "chips"}
        # The shapes of computed tensors, in TensorFlow's order, without the batch.
        self._shapes = {network.input: network.shapes[network.input][1:]}
        # Convolutions that are folded into the one that reads them: input, matrix and bias by output.
        self._linear: dict[int, tuple[int, NDArray[np.float64], NDArray[np.float64]]] = {}

    def model(self) -> onnx.ModelProto:
        if len(self._shapes[self._network.input]) != 3:
            raise TFLiteError(f"it takes the shape {self._network.shapes[self._network.input]}, not pictures")
        for operator in self._operators:
            if missing := [i for i in operator.inputs if i not in self._shapes and i not in self._network.constants]:
                raise TFLiteError(f"its {operator.kind} reads tensor {missing[0]} before it is computed")
            if operator.window:
                self._convolve(operator)
            elif operator.kind == "PRELU":
                self._prelu(operator)
            elif operator.kind == "RESHAPE":
                self._flatten(operator)
            else:
                self._elementwise(operator)
        shape = self._shapes.get(self._network.output, ())
        if len(shape) != 1:
            raise TFLiteError(f"its output has the shape {shape} per picture; it must be a row of numbers")
        height, width, channels = self._shapes[self._network.input]
        return self._graph.model(
            {"chips": (TensorProto.FLOAT, ["n", channels, height, width])}, {"embeddings": ["n", *shape]}
        )

    def _add(self, operator: Operator, shape: tuple[int, ...], kind: str, *inputs: str, **attributes: object) -> None:
        if math.prod(shape) > MAX_NUMBERS_IN_A_MAP:
            raise TFLiteError(f"its {operator.kind} gives the shape {shape}, which is too large")
        output = "embeddings" if operator.output == self._network.output else None
        self._names[operator.output] = self._graph.op(kind, *inputs, output=output, **attributes)
        self._shapes[operator.output] = shape

    def _convolve(self, operator: Operator) -> None:
        """Write a convolution, or keep it to fold it into the one that reads it if that saves weights."""
        window = operator.window
        assert window is not None
        now, kernel, bias = self._kernel(operator)
        outputs, inputs, *sizes = kernel.shape
        pointwise = sizes == [1, 1] and window.strides == (1, 1) and inputs == self._map(now, operator)[2]
        if pointwise and now in self._linear:
            now, matrix, shift = self._linear.pop(now)
            bias = bias + kernel[:, :, 0, 0] @ shift
            kernel = (kernel[:, :, 0, 0] @ matrix)[:, :, None, None]
        if pointwise and self._is_better_folded(operator, kernel):
            self._linear[operator.output] = now, kernel[:, :, 0, 0], bias
            self._shapes[operator.output] = (*self._map(now, operator)[:2], outputs)
            return
        *sides, channels = self._map(now, operator)
        steps = zip(sides, sizes, window.strides, window.dilations, strict=True)
        made, pads = zip(*(_places(*step, same_padding=window.same_padding) for step in steps), strict=True)
        if min(made) < 1:
            raise TFLiteError(f"the kernel of its {operator.kind} is larger than its input")
        self._add(
            operator,
            (*made, outputs),
            "Conv",
            self._names[now],
            self._graph.weight(kernel.astype(np.float32)),
            self._graph.weight(bias.astype(np.float32)),
            kernel_shape=sizes,
            strides=list(window.strides),
            dilations=list(window.dilations),
            group=channels // kernel.shape[1],
            # If the number of zeros is odd, TensorFlow puts the extra one below or to the right.
            pads=[pad // 2 for pad in pads] + [pad - pad // 2 for pad in pads],
        )

    def _kernel(self, operator: Operator) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
        """Return a convolution's input, its weights (outputs, inputs, height, width) and its bias."""
        now, *rest = operator.inputs
        constants = [self._network.constants[index] for index in rest if index in self._network.constants]
        if len(constants) != len(rest) or constants[0].ndim != 4:
            raise TFLiteError(
                f"the weights of its {operator.kind} must be constants, and its kernel of four dimensions"
            )
        channels = self._map(now, operator)[2]
        # A depthwise kernel has the outputs in its last dimension, and one group for each input.
        order = (0, 3, 1, 2) if operator.kind == "CONV_2D" else (3, 0, 1, 2)
        kernel = constants[0].transpose(order).astype(np.float64)
        outputs, inputs = kernel.shape[:2]
        bias = constants[1] if len(constants) > 1 else np.zeros(outputs, np.float32)
        fits = channels % inputs == 0 and outputs % (channels // inputs) == 0 and bias.shape == (outputs,)
        if not fits or (operator.kind != "CONV_2D" and inputs != 1):
            shapes = " and ".join(str(constant.shape) for constant in constants)
            raise TFLiteError(f"its {operator.kind} has weights of the shape {shapes} for {channels} channels")
        return now, kernel, bias.astype(np.float64)

    def _is_better_folded(self, operator: Operator, kernel: NDArray[np.float64]) -> bool:
        """Return whether folding a 1 x 1 convolution into its only reader, also 1 x 1, saves weights."""
        readers = [reader for reader in self._operators for index in reader.inputs if index == operator.output]
        if len(readers) != 1 or readers[0].kind != "CONV_2D":
            return False
        [reader] = readers
        following = self._network.shapes[reader.inputs[1]]
        outputs, inputs = kernel.shape[:2]
        if following[1:] != (1, 1, outputs) or reader.window is None or reader.window.strides != (1, 1):
            return False
        return bool(following[0] * inputs < following[0] * outputs + outputs * inputs)

    def _prelu(self, operator: Operator) -> None:
        now, half = operator.inputs
        shape = self._map(now, operator)
        slopes = 2 * _beside(self._network.constants[half], shape, operator)
        if (slopes == slopes.flat[0]).all():
            self._add(operator, shape, "LeakyRelu", self._names[now], alpha=float(slopes.flat[0]))
        else:
            self._add(operator, shape, "PRelu", self._names[now], self._graph.weight(slopes))

    def _flatten(self, operator: Operator) -> None:
        [index] = operator.inputs
        if index not in self._shapes:
            raise TFLiteError("its RESHAPE reads a constant")
        now, shape = self._names[index], self._shapes[index]
        asked = self._network.shapes[operator.output]
        if len(asked) != 2 or asked[1] != math.prod(shape):
            raise TFLiteError(f"its RESHAPE turns {shape} per picture into {asked}; only rows are converted")
        if len(shape) == 3 and shape[:2] != (1, 1):
            now = self._graph.op("Transpose", now, perm=[0, 2, 3, 1])
        self._add(operator, asked[1:], "Flatten", now, axis=1)

    def _elementwise(self, operator: Operator) -> None:
        shapes = {self._shapes[index] for index in operator.inputs if index in self._shapes}
        if len(shapes) != 1:
            raise TFLiteError(f"its {operator.kind} has inputs of shapes that are not converted")
        [shape] = shapes
        inputs = [
            self._names[index]
            if index in self._shapes
            else self._graph.weight(_beside(self._network.constants[index], shape, operator))
            for index in operator.inputs
        ]
        self._add(operator, shape, _ELEMENTWISE[operator.kind], *inputs)

    def _map(self, index: int, operator: Operator) -> tuple[int, ...]:
        shape = self._shapes.get(index, ())
        if len(shape) != 3:
            raise TFLiteError(f"its {operator.kind} reads the shape {shape}, which is not a map")
        return shape


def _places(side: int, size: int, stride: int, dilation: int, *, same_padding: bool) -> tuple[int, int]:
    """Return how many positions a kernel of this size has along a side, and how many zeros this needs."""
    span = (size - 1) * dilation + 1
    if not same_padding:
        return (side - span) // stride + 1, 0
    made = math.ceil(side / stride)
    return made, max((made - 1) * stride + span - side, 0)


def _with_prelus(network: Network) -> list[Operator]:
    """Return the operators, with each ADD that completes a PReLU replaced by a PRELU.

    The second input of a PRELU is half its slopes.
    """
    made_by = {operator.output: operator for operator in network.operators}
    return [_prelu_of(operator, made_by, network) or operator for operator in network.operators]


def _prelu_of(add: Operator, made_by: dict[int, Operator], network: Network) -> Operator | None:
    """Return one PRELU for an ADD that computes relu(x) + half * (x - |x|), else None."""

    def inputs(index: int, kind: str) -> tuple[int, ...]:
        maker = made_by.get(index)
        return maker.inputs if maker and maker.kind == kind else ()

    if add.kind != "ADD":
        return None
    for positive, negative in (add.inputs, add.inputs[::-1]):
        kept, product = inputs(positive, "RELU"), inputs(negative, "MUL")
        for half, difference in (product, product[::-1]) if len(product) == 2 else ():
            terms = inputs(difference, "SUB")
            if half in network.constants and len(terms) == 2 and kept == inputs(terms[1], "ABS") == terms[:1]:
                return Operator("PRELU", (*kept, half), add.output)
    return None


def _needed(operators: list[Operator], output: int) -> list[Operator]:
    """Return the operators that the output depends on, in their order."""
    needed, kept = {output}, []
    for operator in reversed(operators):
        if operator.output in needed:
            needed.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]


def _beside(values: Array, shape: tuple[int, ...], operator: Operator) -> Array:
    """Return a constant in ONNX's order, ready to be broadcast over a computed tensor of this shape."""
    values = values.reshape((1,) * (len(shape) + 1 - values.ndim) + values.shape)
    if any(size not in (1, whole) for size, whole in zip(values.shape, (1, *shape), strict=False)):
        raise TFLiteError(f"its {operator.kind} has a constant of the shape {values.shape} beside {shape}")
    channels_first: Array = np.moveaxis(values, -1, 1)[0]
    return channels_first
