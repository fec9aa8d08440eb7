"""Builds ONNX graphs, and stores their weights as float16 or float32."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# ONNX Runtime 1.26 runs every operator used here from this opset on. An older opset makes files readable by more tools.
OPSET = 17
IR_VERSION = 8
# Tensors with fewer elements stay float32: float16 would save nothing, and biases need float32's range.
MIN_HALF_ELEMENTS = 16_384


class Graph:
    """Collects nodes and weights; every method except `model` returns the name of the tensor that it made."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._count = 0

    def weight(self, values: NDArray[Any]) -> str:
        name = f"w{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def half_weight(self, values: NDArray[Any]) -> str:
        """Store float16 numbers, followed by a Cast to float32 that ONNX Runtime folds when it loads the network."""
        return self.op("Cast", self.weight(values.astype(np.float16)), to=TensorProto.FLOAT)

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        output = output or f"t{self._count}"
        self._count += 1
        self._nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def model(
        self,
        inputs: dict[str, tuple[int, Sequence[int | str | None]]],
        outputs: dict[str, Sequence[int | str | None]],
    ) -> onnx.ModelProto:
        """Return the finished model. `inputs` maps a name to its ONNX element type and shape; outputs are float32."""
        graph = helper.make_graph(
            self._nodes,
            self._name,
            [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
            self._weights,
        )
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION, producer_name="face-search"
        )
        onnx.checker.check_model(model, full_check=True)
        return model


def store_weights_as_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy with large float32 weights stored as float16, each followed by a Cast node.

    ONNX Runtime folds the Cast when it loads the model, so the arithmetic stays float32.
    """
    half = onnx.ModelProto()
    half.CopyFrom(model)
    casts = []
    for tensor in half.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < MIN_HALF_ELEMENTS:
            continue
        stored = f"{tensor.name}_half"
        casts.append(helper.make_node("Cast", [stored], [tensor.name], to=TensorProto.FLOAT))
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), stored))
    nodes = [*casts, *half.graph.node]
    del half.graph.node[:]
    half.graph.node.extend(nodes)
    return half


def serialize(model: onnx.ModelProto) -> bytes:
    """Return the model's bytes, which are always the same for the same model."""
    return bytes(model.SerializeToString(deterministic=True))
