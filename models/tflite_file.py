"""Reads the network in a TensorFlow Lite file.

The file is a FlatBuffer. The package `tflite` implements its schema, tensorflow/lite/schema/schema.fbs. The package
follows every offset in a file, so its results are checked here.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import tflite
from numpy.typing import NDArray

Array = NDArray[np.float32]

MAX_OPERATORS = 2_000  # MobileFaceNet has 230
MAX_RANK = 4

# The operators that are converted, and how many inputs each may have. A bias and RESHAPE's shape are optional.
_INPUTS = {
    "ABS": (1,),
    "ADD": (2,),
    "CONV_2D": (2, 3),
    "DEPTHWISE_CONV_2D": (2, 3),
    "MUL": (2,),
    "RELU": (1,),
    "RESHAPE": (1, 2),
    "SUB": (2,),
}
# The table of options for each operator. An ADD, MUL or SUB without one has no activation.
_OPTIONS: dict[str, Any] = {
    "ADD": tflite.AddOptions,
    "CONV_2D": tflite.Conv2DOptions,
    "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions,
    "MUL": tflite.MulOptions,
    "SUB": tflite.SubOptions,
}


class TFLiteError(ValueError):
    """The file is not a TensorFlow Lite network that this project can convert."""


class Window(NamedTuple):
    """How the kernel of a convolution moves. Pairs are (down, across)."""

    same_padding: bool  # zeros around the map, so that a stride of 1 keeps its size; if False, no zeros
    strides: tuple[int, int]
    dilations: tuple[int, int]


class Operator(NamedTuple):
    kind: str  # the schema's name
    inputs: tuple[int, ...]  # numbers of tensors, without absent optional ones
    output: int
    window: Window | None = None  # of a convolution


class Network(NamedTuple):
    """Operators in the order they run; tensors are identified by number."""

    operators: tuple[Operator, ...]
    shapes: dict[int, tuple[int, ...]]  # of all inputs and outputs of operators; batch first, except for constants
    constants: dict[int, Array]
    input: int
    output: int


def read(data: bytes) -> Network:
    """Return the network in a file.

    Raises
    ------
    TFLiteError
        If the bytes are not a TensorFlow Lite file, or an operator, activation or type of the network is not converted.
    """
    try:
        if not tflite.Model.ModelBufferHasIdentifier(data, 0):
            raise TFLiteError("it is not a TensorFlow Lite file")
        return _Reader(data).network()
    except TFLiteError:
        raise
    except Exception as error:  # an invalid offset may raise anything
        raise TFLiteError("the TensorFlow Lite file is damaged") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._model = tflite.Model.GetRootAs(data, 0)
        if (count := self._model.SubgraphsLength()) != 1:
            raise TFLiteError(f"it has {count} graphs, not one")
        self._graph = self._model.Subgraphs(0)
        self._shapes: dict[int, tuple[int, ...]] = {}
        self._constants: dict[int, Array] = {}
        # Any number of tensors may refer to the same bytes, so a small file could otherwise need any amount of memory.
        self._bytes_left = len(data)

    def network(self) -> Network:
        if (count := self._graph.OperatorsLength()) > MAX_OPERATORS:
            raise TFLiteError(f"it has {count} operators; at most {MAX_OPERATORS} are accepted")
        ends = []
        for end, indices in (("input", self._graph.InputsAsNumpy()), ("output", self._graph.OutputsAsNumpy())):
            if np.size(indices) != 1:
                raise TFLiteError(f"it has {np.size(indices)} {end}s, not one")
            ends.append(int(indices[0]))
            self._note(ends[-1])
        operators = tuple(self._operator(self._graph.Operators(index)) for index in range(count))
        made = [ends[0], *self._constants, *(operator.output for operator in operators)]
        if len(made) != len(set(made)):
            raise TFLiteError("it has a tensor that is computed twice")
        return Network(operators, self._shapes, self._constants, *ends)

    def _operator(self, operator: Any) -> Operator:
        kind = self._kind(operator.OpcodeIndex())
        inputs = [int(index) for index in operator.InputsAsNumpy()[:4] if index >= 0]
        outputs = operator.OutputsAsNumpy()
        if len(inputs) not in _INPUTS[kind] or len(outputs) != 1:
            raise TFLiteError(f"its {kind} has {len(inputs)} inputs and {len(outputs)} outputs")
        if kind == "RESHAPE":  # the second input repeats the output's shape
            inputs = inputs[:1]
        for index in (*inputs, int(outputs[0])):
            self._note(index)
        return Operator(kind, tuple(inputs), int(outputs[0]), self._window(kind, operator))

    def _kind(self, index: int) -> str:
        if index >= self._model.OperatorCodesLength():
            raise TFLiteError("one of its operators has no code")
        code = self._model.OperatorCodes(index)
        # Files from before codes exceeded 127 have the code in the older field only.
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        kind = _name(tflite.BuiltinOperator, number)
        if kind not in _INPUTS:
            raise TFLiteError(f"it has the operator {kind}; only {', '.join(_INPUTS)} are converted")
        return kind

    def _window(self, kind: str, operator: Any) -> Window | None:
        """Return how a convolution moves, or None for another operator; reject built-in activations."""
        table = operator.BuiltinOptions()
        if kind not in _OPTIONS or (table is None and "CONV" not in kind):
            return None
        if table is None or operator.BuiltinOptionsType() != getattr(tflite.BuiltinOptions, _OPTIONS[kind].__name__):
            raise TFLiteError(f"its {kind} has no options")
        options = _OPTIONS[kind]()
        options.Init(table.Bytes, table.Pos)
        if (activation := options.FusedActivationFunction()) != tflite.ActivationFunctionType.NONE:
            name = _name(tflite.ActivationFunctionType, activation)
            raise TFLiteError(f"its {kind} has the activation {name} built in, which is not converted")
        if "CONV" not in kind:
            return None
        strides = options.StrideH(), options.StrideW()
        dilations = options.DilationHFactor(), options.DilationWFactor()
        if min(strides + dilations) < 1:
            raise TFLiteError(f"its {kind} has the strides {strides} and the dilations {dilations}")
        return Window(options.Padding() == tflite.Padding.SAME, strides, dilations)

    def _note(self, index: int) -> None:
        """Store a tensor's shape, and its values if it is a constant."""
        if index in self._shapes:
            return
        if not 0 <= index < self._graph.TensorsLength():
            raise TFLiteError(f"it refers to tensor {index} and has {self._graph.TensorsLength()} tensors")
        tensor = self._graph.Tensors(index)
        if tensor.Type() != tflite.TensorType.FLOAT32:
            raise TFLiteError("it has numbers that are not float32; quantised networks are not converted")
        rank = tensor.ShapeLength()
        if rank > MAX_RANK or not 0 <= tensor.Buffer() < self._model.BuffersLength():
            raise TFLiteError(f"its tensor {index} has {rank} dimensions and the buffer {tensor.Buffer()}")
        shape = tuple(int(size) for size in tensor.ShapeAsNumpy()) if rank else ()
        if min(shape, default=1) < 1:
            raise TFLiteError(f"its tensor {index} has the shape {shape}")
        self._shapes[index] = shape
        buffer = self._model.Buffers(tensor.Buffer())
        if not (size := buffer.DataLength()):
            return
        if size != 4 * math.prod(shape):
            raise TFLiteError(f"its tensor {index} of the shape {shape} has {size} bytes")
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise TFLiteError("its constants are together larger than the file")
        self._constants[index] = buffer.DataAsNumpy().view("<f4").astype(np.float32).reshape(shape)


def _name(values: type, number: int) -> str:
    """Return the schema's name for a number, or the number if there is no name."""
    return next((name for name, value in vars(values).items() if value == number), str(number))
