"""Converts FaceNet, an Inception-ResNet-v1, from the checkpoint of the package `facenet-pytorch` to ONNX.

The layers and their names follow the package's models/inception_resnet_v1.py, which ports David Sandberg's network:
Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", 2016. Every batch
normalisation, and the scale of every residual, is folded into the layer before it, in float64. The classifier that the
network was trained with is left out. So is the scaling of embeddings to unit length, because the service does it.
"""

from __future__ import annotations

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from models.onnx_graph import Graph
from models.torch_checkpoint import CheckpointError, Tensors, read

INPUT_SIZE = 160
DIMENSION = 512

# The batch normalisations add this to their variance: TensorFlow's default, kept by the package.
EPSILON = 1e-3
# A residual is multiplied by this before it is added, in the three runs of blocks. In the block after them it is 1.
SCALE_35, SCALE_17, SCALE_8 = 0.17, 0.10, 0.20

Numbers = NDArray[np.float64]


def convert(data: bytes) -> onnx.ModelProto:
    """Return the network as ONNX, float32: `chips` (n, 3, 160, 160) RGB, normalised -> `embeddings` (n, 512).

    Raises
    ------
    models.torch_checkpoint.CheckpointError
        If the bytes are not a checkpoint of this network.
    """
    net = _Network(read(data))
    now = net.unit("conv2d_1a", "chips", stride=2)
    now = net.unit("conv2d_2a", now)
    now = net.unit("conv2d_2b", now, same=True)
    now = net.max_pool(now)
    now = net.unit("conv2d_3b", now)
    now = net.unit("conv2d_4a", now)
    now = net.unit("conv2d_4b", now, stride=2)
    for i in range(5):
        now = net.residual(f"repeat_1.{i}", now, SCALE_35, branches=(1, 2, 3))
    now = net.reduction("mixed_6a", now, branches=(1, 3))
    for i in range(10):
        now = net.residual(f"repeat_2.{i}", now, SCALE_17, branches=(1, 3))
    now = net.reduction("mixed_7a", now, branches=(2, 2, 3))
    for i in range(5):
        now = net.residual(f"repeat_3.{i}", now, SCALE_8, branches=(1, 3))
    now = net.residual("block8", now, 1.0, branches=(1, 3), relu=False)
    return net.embeddings(now)


class _Network:
    """Writes the ONNX nodes; methods take and return the names of tensors."""

    def __init__(self, tensors: Tensors) -> None:
        self._tensors = tensors
        self._graph = Graph("facenet")

    def unit(self, name: str, now: str, *, stride: int = 1, same: bool = False) -> str:
        """Add a convolution, its batch normalisation and ReLU; with `same`, padding keeps the map's size."""
        gain, shift = self._normalisation(f"{name}.bn")
        kernel = self._take(f"{name}.conv.weight") * gain[:, None, None, None]
        return self._graph.op("Relu", self._convolve(now, kernel, shift, stride=stride, same=same))

    def residual(self, name: str, now: str, scale: float, *, branches: tuple[int, ...], relu: bool = True) -> str:
        """Add to the map the output of branches, joined by a convolution; `branches` has the units in each branch."""
        ends = [self._branch(f"{name}.branch{i}", now, length) for i, length in enumerate(branches)]
        kernel, bias = (scale * self._take(f"{name}.conv2d.{part}") for part in ("weight", "bias"))
        joined = self._convolve(self._graph.op("Concat", *ends, axis=1), kernel, bias)
        now = self._graph.op("Add", joined, now)
        return self._graph.op("Relu", now) if relu else now

    def reduction(self, name: str, now: str, *, branches: tuple[int, ...]) -> str:
        """Halve the map: join branches that end in a unit with a stride of 2, and a maximum pooling.

        `branches` has the units in each branch.
        """
        ends = [self._branch(f"{name}.branch{i}", now, length, halve=True) for i, length in enumerate(branches)]
        return self._graph.op("Concat", *ends, self.max_pool(now), axis=1)

    def max_pool(self, now: str) -> str:
        return self._graph.op("MaxPool", now, kernel_shape=[3, 3], strides=[2, 2])

    def embeddings(self, now: str) -> onnx.ModelProto:
        """Average over the map, project it to 512 values, and return the finished network."""
        gain, shift = self._normalisation("last_bn")
        kernel = self._take("last_linear.weight") * gain[:, None]
        flat = self._graph.op("Flatten", self._graph.op("GlobalAveragePool", now))
        self._graph.op("Gemm", flat, self._weight(kernel.T), self._weight(shift), output="embeddings")
        return self._graph.model(
            {"chips": (TensorProto.FLOAT, ["n", 3, INPUT_SIZE, INPUT_SIZE])}, {"embeddings": ["n", DIMENSION]}
        )

    def _branch(self, name: str, now: str, length: int, *, halve: bool = False) -> str:
        if length == 1:  # a branch of one unit has the unit's name without a number
            return self.unit(name, now, stride=2 if halve else 1)
        for i in range(length):
            last = halve and i == length - 1
            now = self.unit(f"{name}.{i}", now, stride=2 if last else 1, same=not last)
        return now

    def _convolve(self, now: str, kernel: Numbers, bias: Numbers, *, stride: int = 1, same: bool = False) -> str:
        height, width = kernel.shape[2:]
        pads = [height // 2, width // 2] * 2 if same else [0] * 4
        inputs = (now, self._weight(kernel), self._weight(bias))
        return self._graph.op("Conv", *inputs, kernel_shape=[height, width], strides=[stride, stride], pads=pads)

    def _normalisation(self, name: str) -> tuple[Numbers, Numbers]:
        """Return the factor and the summand of a batch normalisation, per channel."""
        weight, bias, mean, variance = (
            self._take(f"{name}.{part}") for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = weight / np.sqrt(variance + EPSILON)
        return gain, bias - mean * gain

    def _take(self, name: str) -> Numbers:
        if name not in self._tensors:
            raise CheckpointError(f"the checkpoint has no {name}: it is not FaceNet's")
        return self._tensors[name].astype(np.float64)

    def _weight(self, values: Numbers) -> str:
        return self._graph.weight(values.astype(np.float32))
