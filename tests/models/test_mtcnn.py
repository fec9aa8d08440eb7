"""The converted detector networks against the package's weights, run layer by layer in NumPy."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator

import joblib
import lz4.frame
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.mtcnn import Weights, read_weights
from tests.packs import dlib_pack, published

Map = NDArray[np.float64]


def _convolution(x: Map, weights: Iterator[NDArray[np.float32]]) -> Map:
    """Convolve without padding, with stride 1. x is height x width x channels."""
    kernel, bias = next(weights), next(weights)
    windows = sliding_window_view(x, kernel.shape[:2], axis=(0, 1))  # rows, columns, channels, height, width
    return np.asarray(np.einsum("rcihw,hwio->rco", windows, kernel.astype(np.float64)) + bias)


def _prelu(x: Map, weights: Iterator[NDArray[np.float32]]) -> Map:
    return np.where(x > 0, x, x * next(weights).reshape(-1))


def _pool(x: Map, window: int, *, same: bool) -> Map:
    """Pool as TensorFlow does, with stride 2. "same" pads with -infinity, half before and the rest after."""
    if same:
        pads = [max((-(-side // 2) - 1) * 2 + window - side, 0) for side in x.shape[:2]]
        x = np.pad(x, [(p // 2, p - p // 2) for p in pads] + [(0, 0)], constant_values=-np.inf)
    return np.asarray(sliding_window_view(x, (window, window), axis=(0, 1))[::2, ::2].max(axis=(3, 4)))


def _dense(x: Map, weights: Iterator[NDArray[np.float32]]) -> Map:
    kernel, bias = next(weights), next(weights)
    return np.asarray(x @ kernel.reshape(-1, kernel.shape[-1]).astype(np.float64) + bias)


def _softmax(x: Map) -> Map:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def _reference(name: str, pixels: NDArray[np.uint8], arrays: Weights) -> dict[str, Map]:
    """Follow mtcnn/network/{pnet,rnet,onet}.py: return one picture's box, landmarks (O-Net) and probabilities."""
    weights = iter(arrays)
    pools = {"pnet": [(2, True)], "rnet": [(3, True), (3, False)], "onet": [(3, True), (3, False), (2, True)]}[name]
    convolutions = {"pnet": 3, "rnet": 3, "onet": 4}[name]
    x = (pixels.astype(np.float64) - 127.5) / 128
    for layer in range(convolutions):
        x = _prelu(_convolution(x, weights), weights)
        if layer < len(pools):
            window, same = pools[layer]
            x = _pool(x, window, same=same)
    if name != "pnet":
        x = _prelu(_dense(x.transpose(1, 0, 2).reshape(-1), weights), weights)
    heads = ["box", "landmarks", "score"] if name == "onet" else ["box", "score"]
    outputs = {head: _dense(x, weights) for head in heads}
    outputs["score"] = _softmax(outputs["score"])[..., 1]
    return outputs


@pytest.mark.parametrize(
    ("name", "height", "width"),
    [("pnet", 12, 12), ("pnet", 37, 54), ("pnet", 40, 31), ("rnet", 24, 24), ("onet", 48, 48)],
)
def test_a_network_agrees_with_the_packages_weights(name: str, height: int, width: int) -> None:
    pixels = np.random.default_rng(7).integers(0, 256, (2, height, width, 3), np.uint8)
    arrays = read_weights(published("detector")[name])

    answers = dlib_pack().network(f"{name}.onnx")(pixels)

    for picture, answer in zip(pixels, answers, strict=True):
        expected = _reference(name, picture, arrays)
        found = np.moveaxis(answer, 0, -1)
        assert 1 / (1 + np.exp(-found[..., 0])) == pytest.approx(expected["score"], abs=1e-4)
        assert found[..., 1:5] == pytest.approx(expected["box"], abs=1e-4)
        if name == "onet":
            assert found[..., 5:] == pytest.approx(expected["landmarks"], abs=1e-4)


def test_weights_with_anything_but_arrays_are_refused() -> None:
    file = io.BytesIO()
    joblib.dump([io.BytesIO], file)

    with pytest.raises(pickle.UnpicklingError, match="only arrays are accepted"):
        read_weights(lz4.frame.compress(file.getvalue()))
