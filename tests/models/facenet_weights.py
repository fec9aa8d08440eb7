"""Weights for FaceNet derived from tensor names, as the trained ones are not available, and chips to run them on."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RECORD = Path(__file__).with_name("facenet_reference.json")
"""Written by tests/models/facenet_reference.py: the module's tensors by name and shape, and its outputs for `chips`."""

Tensors = dict[str, NDArray[Any]]


def weights(shapes: Mapping[str, Sequence[int]]) -> Tensors:
    """Return a tensor per name. No layer's output vanishes or explodes, and every batch normalisation has an effect."""
    return {name: _tensor(name, tuple(shape)) for name, shape in shapes.items()}


def recorded_weights() -> Tensors:
    """Return weights for the recorded shapes, and a classifier of ten people that a converter must leave out."""
    shapes = json.loads(RECORD.read_text())["shapes"]
    return weights({**shapes, "logits.weight": [10, 512], "logits.bias": [10]})


def recorded_embeddings() -> NDArray[np.float64]:
    """Return the package module's outputs for `chips` with these weights, n x 512, before scaling to unit length."""
    return np.array(json.loads(RECORD.read_text())["embeddings"])


def chips() -> NDArray[np.float32]:
    """Return three chips, n x 3 x 160 x 160, normalised: noise, a ramp, and noise in coarse squares."""
    random = np.random.RandomState(0)
    noise = random.uniform(-1, 1, (3, 160, 160))
    ramp = np.linspace(-1, 1, 160)[None, :, None] * np.ones((3, 1, 160)) * np.array([1, -0.5, 0.2])[:, None, None]
    squares = random.uniform(-1, 1, (3, 10, 10)).repeat(16, axis=1).repeat(16, axis=2)
    return np.stack([noise, ramp, squares]).astype(np.float32)


def _tensor(name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    # Uses RandomState, because NumPy guarantees its numbers in every version.
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.array(random.randint(1, 1000), np.int64)
    if name.endswith("running_var"):
        return random.uniform(0.5, 2, shape).astype(np.float32)
    if len(shape) == 1 and name.endswith("bn.weight"):
        return random.uniform(0.7, 1.5, shape).astype(np.float32)
    values: NDArray[np.float32] = random.standard_normal(shape).astype(np.float32)
    return values / 5 if len(shape) == 1 else values * np.float32(np.sqrt(2 / np.prod(shape[1:])))
