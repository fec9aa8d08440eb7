"""Converts MTCNN's three networks from the weight files of the PyPI package `mtcnn` to ONNX.

Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional Networks", 2016. The layers and
their order follow the package's mtcnn/network/{pnet,rnet,onet}.py. Four things differ from a plain translation; none
changes a result:

- The input is bytes (n, h, w, 3), RGB. The normalisation of pixels is folded into the first convolution, which has no
  padding.
- The two-way softmax becomes the difference of its inputs, the log-odds of a face.
- The outputs that share an input are one layer, `faces`: log-odds, then box offsets, then (O-Net) landmarks.
- P-Net's first activation comes after its pooling.
"""

from __future__ import annotations

import io
import pickle
from typing import Any

import joblib.numpy_pickle
import lz4.frame
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from models.onnx_graph import Graph

Weights = list[NDArray[np.float32]]

# The package's mtcnn/utils/images.py: normalize_images.
MEAN, STD = 127.5, 128.0

_ALLOWED = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class _ArraysOnly(joblib.numpy_pickle.NumpyUnpickler):  # type: ignore[misc]  # joblib has no type hints
    """An unpickler that can create only NumPy arrays."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"the weights contain {module}.{name}; only arrays are accepted")
        return super().find_class(module, name)


def read_weights(data: bytes) -> Weights:
    """Return the arrays of one of the package's .lz4 files, in Keras order (kernels are height, width, in, out)."""
    file = io.BytesIO(lz4.frame.decompress(data))
    arrays: Weights = _ArraysOnly("", file, ensure_native_byte_order=False).load()
    return arrays


def convert(name: str, weights: Weights) -> onnx.ModelProto:
    """Return P-Net, R-Net or O-Net (`name`: pnet, rnet, onet) as ONNX, with the differences listed above.

    P-Net: (n, h, w, 3) uint8 -> (n, 5, h', w'). R-Net: (n, 24, 24, 3) -> (n, 5). O-Net: (n, 48, 48, 3) -> (n, 15).
    """
    return _CONVERTERS[name](_Network(name, weights))


class _Network:
    def __init__(self, name: str, weights: Weights) -> None:
        self.graph = Graph(name)
        self._weights = iter(weights)
        self._side = _SIDES[name]
        pixels = self.graph.op("Cast", "pixels", to=TensorProto.FLOAT)
        self.now = self.graph.op("Transpose", pixels, perm=[0, 3, 1, 2])
        self._first = True
        # The order of the channels of `now`, for the next kernel; None if they were not reordered.
        self._order: NDArray[np.int64] | None = None

    def convolution(self) -> None:
        self._convolve(*self._next_kernel())
        self._prelu(next(self._weights).reshape(-1, 1, 1))

    def pooled_convolution(self, window: int) -> None:
        """Add convolution, PReLU and maximum pooling, with the PReLU after the pooling: a quarter of the work.

        A PReLU of slope a >= 0 never decreases, so it may follow the maximum. A PReLU of slope a < 0 is max(x, a x).
        Channels with such a slope go through the pooling twice, once multiplied by a, and the maximum of both is taken.
        P-Net's 10 channels and 6 of these fill the 16 that the processor computes anyway.
        """
        kernel, bias = self._next_kernel()
        slopes = next(self._weights).reshape(-1)
        rising, falling = np.flatnonzero(slopes >= 0), np.flatnonzero(slopes < 0)
        order = np.concatenate([rising, falling, falling])
        factor = np.concatenate([np.ones(len(slopes)), slopes[falling]])
        self._convolve(kernel[order] * factor[:, None, None, None], bias[order] * factor)
        self.max_pool(window, keep_rest=True)
        first, second, end = len(rising), len(slopes), len(order)
        pooled = self.now
        self.now = self._channels(pooled, 0, first)
        self._prelu(slopes[rising].reshape(-1, 1, 1))
        larger = self.graph.op("Max", self._channels(pooled, first, second), self._channels(pooled, second, end))
        self.now = self.graph.op("Concat", self.now, larger, axis=1)
        self._order = order[: len(slopes)]

    def _next_kernel(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        kernel, bias = (next(self._weights).astype(np.float64) for _ in range(2))
        kernel = kernel.transpose(3, 2, 0, 1)
        if self._first:
            bias = bias - kernel.sum(axis=(1, 2, 3)) * (MEAN / STD)
            kernel = kernel / STD
            self._first = False
        if self._order is not None:
            kernel, self._order = kernel[:, self._order], None
        return kernel, bias

    def _channels(self, tensor: str, first: int, end: int) -> str:
        bounds = (self.graph.weight(np.array([number])) for number in (first, end, 1))
        return self.graph.op("Slice", tensor, *bounds)

    def _convolve(self, kernel: NDArray[np.float64], bias: NDArray[np.float64]) -> None:
        self.now = self.graph.op(
            "Conv",
            self.now,
            self.graph.weight(kernel.astype(np.float32)),
            self.graph.weight(bias.astype(np.float32)),
            kernel_shape=list(kernel.shape[2:]),
        )

    def _prelu(self, slopes: NDArray[np.float32]) -> None:
        self.now = self.graph.op("PRelu", self.now, self.graph.weight(slopes))

    def max_pool(self, window: int, *, keep_rest: bool) -> None:
        """Add a pooling of stride 2. TensorFlow's "same" keeps a last, incomplete window; "valid" drops it."""
        self.now = self.graph.op(
            "MaxPool", self.now, kernel_shape=[window, window], strides=[2, 2], ceil_mode=int(keep_rest)
        )

    def dense(self) -> None:
        """Add a dense layer and its PReLU.

        The package flattens (width, height, channels), ONNX (channels, height, width), so the weights are reordered.
        """
        kernel, bias = next(self._weights), next(self._weights)
        inputs, outputs = kernel.shape
        kernel = kernel.reshape(_LAST_SIDE, _LAST_SIDE, -1, outputs).transpose(2, 1, 0, 3).reshape(inputs, outputs)
        flat = self.graph.op("Flatten", self.now)
        self.now = self.graph.op("Gemm", flat, self.graph.weight(kernel), self.graph.weight(bias))
        self._prelu(next(self._weights).reshape(-1))

    def heads(self, *order: str, convolve: bool = False) -> onnx.ModelProto:
        """Join the output layers, given in the file's order, and return the finished network."""
        found = {kind: [next(self._weights).astype(np.float64) for _ in range(2)] for kind in order}
        if next(self._weights, None) is not None:
            raise ValueError("the file has more weights than the network needs")
        found["score"] = [values[..., 1:] - values[..., :1] for values in found["score"]]
        kinds = [kind for kind in ("score", "box", "landmarks") if kind in found]
        kernel, bias = (np.concatenate([found[kind][part] for kind in kinds], axis=-1) for part in range(2))
        if convolve:
            kernel = kernel.transpose(3, 2, 0, 1)
        inputs = [self.graph.weight(values.astype(np.float32)) for values in (kernel, bias)]
        self.graph.op("Conv" if convolve else "Gemm", self.now, *inputs, output="faces")
        side: tuple[int | str, int | str] = ("height", "width") if convolve else (self._side, self._side)
        cells = ["rows", "columns"] if convolve else []
        return self.graph.model({"pixels": (TensorProto.UINT8, ["n", *side, 3])}, {"faces": ["n", len(bias), *cells]})


def _pnet(net: _Network) -> onnx.ModelProto:
    net.pooled_convolution(2)
    net.convolution()
    net.convolution()
    return net.heads("box", "score", convolve=True)


def _rnet(net: _Network) -> onnx.ModelProto:
    net.convolution()
    net.max_pool(3, keep_rest=True)
    net.convolution()
    net.max_pool(3, keep_rest=False)
    net.convolution()
    net.dense()
    return net.heads("box", "score")


def _onet(net: _Network) -> onnx.ModelProto:
    net.convolution()
    net.max_pool(3, keep_rest=True)
    net.convolution()
    net.max_pool(3, keep_rest=False)
    net.convolution()
    net.max_pool(2, keep_rest=True)
    net.convolution()
    net.dense()
    return net.heads("box", "landmarks", "score")


_CONVERTERS = {"pnet": _pnet, "rnet": _rnet, "onet": _onet}
_SIDES = {"pnet": 0, "rnet": 24, "onet": 48}
# The side of the last map of R-Net's and O-Net's convolutions, in pixels.
_LAST_SIDE = 3
