"""Adapts an embedder that is published as ONNX, from any exporter."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper

from chalicelib.vision.model_pack import EmbedderCard

Array = NDArray[np.float32]


def convert(data: bytes, card: EmbedderCard) -> onnx.ModelProto:
    """Return the same network with constant weights and, if its nodes allow it, any number of chips per run.

    Old exporters list the weights among the inputs, which prevents ONNX Runtime from folding them, and fix the batch
    at 1. A network that takes (n, height, width, 3), as TensorFlow's do, gets a node that transposes our chips.

    Raises
    ------
    ValueError
        If the file is not a network from float32 chips of the card's size to embeddings of the card's dimension.
    """
    model = _load(data)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    if len(inputs) != 1 or len(model.graph.output) != 1:
        raise ValueError(f"the network has {len(inputs)} inputs and {len(model.graph.output)} outputs, not one of each")
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    _check_input(model, card)
    _check_output(model, card)
    batched = onnx.ModelProto()
    batched.CopyFrom(model)
    del batched.graph.value_info[:]
    for value in (*batched.graph.input, *batched.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    return batched if _agree(model, batched) else model


def _load(data: bytes) -> onnx.ModelProto:
    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf's own errors, which onnx does not export
        raise ValueError("it is not an ONNX file") from error
    if any(tensor.data_location == TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise ValueError("its weights are in a file beside it; save the network as one file")
    return model


def _check_input(model: onnx.ModelProto, card: EmbedderCard) -> None:
    """Check the input's type and size; if needed, add a node so that it becomes (n, 3, height, width)."""
    [value] = model.graph.input
    shape, side = _shape(value), card.input_size
    if value.type.tensor_type.elem_type != TensorProto.FLOAT:
        kind = TensorProto.DataType.Name(value.type.tensor_type.elem_type).lower()
        raise ValueError(f"the network's input {value.name} is {kind}; it must be float (float32)")
    if shape[1:] == [side, side, 3]:
        turned = f"{value.name}_rows_first"
        model.graph.node.insert(0, helper.make_node("Transpose", [turned], [value.name], perm=[0, 2, 3, 1]))
        kind = value.type.tensor_type.elem_type
        value.CopyFrom(helper.make_tensor_value_info(turned, kind, [shape[0], 3, side, side]))
    elif shape[1:] != [3, side, side]:
        raise ValueError(
            f"the network's input {value.name} is {_text(shape)}; the card's input_size = {side} requires"
            f" n x 3 x {side} x {side}, or n x {side} x {side} x 3, with fixed sizes"
        )


def _check_output(model: onnx.ModelProto, card: EmbedderCard) -> None:
    """Check the sizes of the output that the file states; a trial run checks the others."""
    [value] = model.graph.output
    if not value.type.tensor_type.HasField("shape"):
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, ["n", card.dimension]))
    shape = _shape(value)
    if len(shape) != 2 or shape[1] not in (card.dimension, "?"):
        raise ValueError(
            f"the network's output {value.name} is {_text(shape)}; the card's dimension = {card.dimension} requires"
            f" n x {card.dimension}"
        )


def _shape(value: onnx.ValueInfoProto) -> list[int | str]:
    """Return the sizes that the file states, with "?" for each size that it leaves open."""
    return [dimension.dim_value or "?" for dimension in value.type.tensor_type.shape.dim]


def _text(shape: list[int | str]) -> str:
    return " x ".join(map(str, shape)) or "a single number"


def _agree(model: onnx.ModelProto, batched: onnx.ModelProto) -> bool:
    """Return whether two chips in one run give the same output as each chip alone."""
    shape = [dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim]
    name = model.graph.input[0].name
    chips = np.random.default_rng(0).uniform(-1, 1, (2, *shape[1:])).astype(np.float32)
    try:
        alone = [_run(model, {name: chips[i : i + 1]}) for i in range(2)]
        together = _run(batched, {name: chips})
    except Exception:  # noqa: BLE001  # any error of the runtime means that the graph takes only one chip
        return False
    return np.allclose(np.concatenate(alone), together, rtol=1e-4, atol=1e-5)


def _run(model: onnx.ModelProto, inputs: dict[str, Array]) -> Array:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: Array = session.run(None, inputs)[0]
    return output
