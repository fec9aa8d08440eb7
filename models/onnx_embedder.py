"""Takes an embedder that is published as ONNX, whatever tool wrote it."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray

Array = NDArray[np.float32]


def convert(data: bytes) -> onnx.ModelProto:
    """Return the same network with its weights constant and, where its nodes allow it, any number of chips a run.

    Old exporters list the weights among the inputs, which keeps ONNX Runtime from folding them, and fix the batch at 1.
    """
    model = onnx.load_from_string(data)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in weights]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    model.ir_version = max(model.ir_version, 4)
    batched = onnx.ModelProto()
    batched.CopyFrom(model)
    del batched.graph.value_info[:]
    for value in (*batched.graph.input, *batched.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    return batched if _agree(model, batched) else model


def _agree(model: onnx.ModelProto, batched: onnx.ModelProto) -> bool:
    """Tell whether two chips in one run give what each gives alone."""
    shape = [dimension.dim_value for dimension in model.graph.input[0].type.tensor_type.shape.dim]
    name = model.graph.input[0].name
    chips = np.random.default_rng(0).uniform(-1, 1, (2, *shape[1:])).astype(np.float32)
    try:
        alone = [_run(model, {name: chips[i : i + 1]}) for i in range(2)]
        together = _run(batched, {name: chips})
    except Exception:  # noqa: BLE001  # whatever the runtime says of a reshaped graph, the answer is no
        return False
    return np.allclose(np.concatenate(alone), together, rtol=1e-4, atol=1e-5)


def _run(model: onnx.ModelProto, inputs: dict[str, Array]) -> Array:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    output: Array = session.run(None, inputs)[0]
    return output
