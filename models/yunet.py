"""Adapts YuNet, a detector that OpenCV Zoo publishes as ONNX, in the version of March 2023.

Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023. The published graph takes one picture of 640 x 640 px,
BGR, as floats, and has twelve outputs. Its weights do not depend on this. The adapted graph takes pixels as bytes, RGB,
as MTCNN's networks do, with sides that are multiples of 32. Its outputs are joined into one.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

STRIDES = (8, 16, 32)
KINDS = ("cls", "obj", "bbox", "kps")


def convert(data: bytes) -> onnx.ModelProto:
    """Return the network as `pixels` (1, height, width, 3) uint8 RGB -> `faces` (1, cells, 16).

    The cells of stride 8 come first, row by row, then those of 16, then those of 32. Each cell has two probabilities,
    four values for its box and ten for its landmarks. The geometric mean of the two is the probability of a face.
    chalicelib/vision/yunet.py describes the values.

    Raises
    ------
    ValueError
        If the bytes are not this network.
    """
    model = _load(data)
    graph = model.graph
    _take_rgb(graph)
    graph.node.insert(0, helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT))
    graph.node.insert(1, helper.make_node("Transpose", ["floats"], [graph.input[0].name], perm=[0, 3, 1, 2]))
    maps = [f"faces_{stride}" for stride in STRIDES]
    for stride, joined in zip(STRIDES, maps, strict=True):
        graph.node.append(helper.make_node("Concat", [f"{kind}_{stride}" for kind in KINDS], [joined], axis=2))
    graph.node.append(helper.make_node("Concat", maps, ["faces"], axis=1))
    for values in (graph.input, graph.output, graph.value_info):
        del values[:]
    graph.input.append(helper.make_tensor_value_info("pixels", TensorProto.UINT8, [1, "height", "width", 3]))
    graph.output.append(helper.make_tensor_value_info("faces", TensorProto.FLOAT, [1, "cells", 16]))
    onnx.checker.check_model(model, full_check=True)
    return model


def _load(data: bytes) -> onnx.ModelProto:
    try:
        model = onnx.load_from_string(data)
    except Exception as error:  # protobuf's own errors, which onnx does not export
        raise ValueError("it is not an ONNX file") from error
    inputs = [[dimension.dim_value for dimension in value.type.tensor_type.shape.dim] for value in model.graph.input]
    outputs = {value.name for value in model.graph.output}
    if [shape[:2] for shape in inputs] != [[1, 3]] or outputs != {f"{k}_{s}" for k in KINDS for s in STRIDES}:
        raise ValueError("it is not YuNet as OpenCV Zoo published it in March 2023")
    return model


def _take_rgb(graph: onnx.GraphProto) -> None:
    """Reverse the first convolution's input channels, so that it takes RGB instead of BGR."""
    [first] = [node for node in graph.node if graph.input[0].name in node.input]
    [kernel] = [tensor for tensor in graph.initializer if tensor.name == first.input[1]]
    swapped = np.ascontiguousarray(numpy_helper.to_array(kernel)[:, ::-1])
    kernel.CopyFrom(numpy_helper.from_array(swapped, kernel.name))
