"""Small networks with the same inputs and outputs as networks whose weights are not available."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def stand_in_for_sface(*, old_style: bool = True) -> bytes:
    """Return a network: 112 x 112 RGB, 0 to 255 -> 128 values that depend on every pixel.

    `old_style` writes the network as SFace's exporter did: a batch of one, and the weights among the inputs.
    """
    random = np.random.default_rng(11)
    weights = {
        "kernel": (random.standard_normal((8, 3, 7, 7)) / 2000).astype(np.float32),
        "dense": (random.standard_normal((8 * 14 * 14, 128)) / 20).astype(np.float32),
    }
    nodes = [
        helper.make_node("Conv", ["data", "kernel"], ["a"], strides=[4, 4], pads=[3, 3, 3, 3]),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("AveragePool", ["b"], ["c"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Flatten", ["c"], ["d"]),
        helper.make_node("MatMul", ["d", "dense"], ["fc1"]),
    ]
    batch: int | str = 1 if old_style else "n"
    inputs = [helper.make_tensor_value_info("data", TensorProto.FLOAT, [batch, 3, 112, 112])]
    if old_style:
        inputs += [helper.make_tensor_value_info(n, TensorProto.FLOAT, v.shape) for n, v in weights.items()]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        inputs,
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [batch, 128])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=4)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def stand_in(
    *,
    input_shape: Sequence[int | str] = ("n", 3, 112, 112),
    output_shape: Sequence[int | str] | None = ("n", 512),
    dimension: int = 512,
    input_type: int = TensorProto.FLOAT,
    inputs: int = 1,
    outputs: int = 1,
) -> bytes:
    """Return a user's own network, a projection of every sixteenth pixel of its chips. Its description may be wrong."""
    random = np.random.default_rng(12)
    channels_last = input_shape[-1] == 3
    chips = "turned" if channels_last else "floats"
    nodes = [helper.make_node("Cast", ["chips"], ["floats"], to=TensorProto.FLOAT)]
    if channels_last:
        nodes.append(helper.make_node("Transpose", ["floats"], ["turned"], perm=[0, 3, 1, 2]))
    nodes += [
        helper.make_node("AveragePool", [chips], ["few"], kernel_shape=[1, 1], strides=[16, 16]),
        helper.make_node("Flatten", ["few"], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["embeddings"]),
        *(helper.make_node("Relu", ["embeddings"], [f"more_{i}"]) for i in range(1, outputs)),
    ]
    dense = random.standard_normal((3 * 7 * 7, dimension)).astype(np.float32)
    names = ["chips", *(f"other_{i}" for i in range(1, inputs))]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info(name, input_type, input_shape) for name in names],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, output_shape)
            for name in ("embeddings", *(f"more_{i}" for i in range(1, outputs)))
        ],
        [numpy_helper.from_array(dense, "dense")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def stand_in_for_yunet() -> bytes:
    """Return a network: 640 x 640 BGR, 0 to 255 -> YuNet's twelve outputs, which depend on the channel order."""
    random = np.random.default_rng(13)
    first = (random.standard_normal((4, 3, 3, 3)) / 200).astype(np.float32)
    nodes = [helper.make_node("Conv", ["input", "first"], ["seen"], pads=[1, 1, 1, 1])]
    weights = {"first": first}
    outputs = []
    for stride in (8, 16, 32):
        nodes.append(
            helper.make_node("AveragePool", ["seen"], [f"s{stride}"], kernel_shape=[stride] * 2, strides=[stride] * 2)
        )
        for kind, count in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            name = f"{kind}_{stride}"
            weights[f"{name}_kernel"] = random.standard_normal((count, 4, 1, 1)).astype(np.float32)
            weights[f"{name}_shape"] = np.array([1, -1, count], np.int64)
            nodes += [
                helper.make_node("Conv", [f"s{stride}", f"{name}_kernel"], [f"{name}_map"]),
                helper.make_node("Transpose", [f"{name}_map"], [f"{name}_last"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}_last", f"{name}_shape"], [name]),
            ]
            shape = [1, (640 // stride) ** 2, count]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, 640, 640])],
        outputs,
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())
