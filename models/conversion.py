"""Converts a pack's published files to the ONNX files that its card names."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto

from chalicelib.vision.model_pack import EmbedderCard
from models import dlib_resnet, facenet, mtcnn, onnx_embedder, openvino_ir, tflite_network, yunet
from models.onnx_graph import serialize, store_weights_as_half

# Weights stay float32 if float16 changes an embedding by more than this (Euclidean distance relative to its length).
HALF_TOLERANCE = 2e-3

# Each converter takes a network's role and its published file.
_DETECTORS: dict[str, Callable[[str, bytes], onnx.ModelProto]] = {
    "mtcnn": lambda role, data: mtcnn.convert(role, mtcnn.read_weights(data)),
    "yunet": lambda _, data: yunet.convert(data),
    "yunet-onet": lambda role, data: (
        yunet.convert(data) if role == "yunet" else mtcnn.convert(role, mtcnn.read_weights(data))
    ),
}
_EMBEDDERS: dict[str, Callable[[dict[str, bytes], EmbedderCard], onnx.ModelProto]] = {
    "dlib_resnet": lambda files, _: dlib_resnet.convert(files["embedder"]),
    "facenet": lambda files, _: facenet.convert(files["embedder"]),
    "onnx_embedder": lambda files, card: onnx_embedder.convert(files["embedder"], card),
    "openvino_ir": lambda files, _: openvino_ir.convert(files),
    "tflite": lambda files, _: tflite_network.convert(files["embedder"]),
}


def convert_detector(converter: str, files: dict[str, str], published: dict[str, bytes]) -> dict[str, bytes]:
    """Convert a detector's published files, contents by role; return the contents of `files`, contents by name.

    `files` maps a role to the name of a file.

    Raises
    ------
    ValueError
        If the converter does not exist, or does not accept a file.
    """
    convert = _DETECTORS.get(converter)
    if convert is None:
        raise ValueError(f"there is no detector converter {converter!r}; known: {', '.join(_DETECTORS)}")
    return {file: serialize(convert(role, published[role])) for role, file in files.items()}


def convert_embedder(converter: str, card: EmbedderCard, published: dict[str, bytes]) -> dict[str, bytes]:
    """Return the contents of an embedder's file, after a trial run with the card's settings.

    `published` maps a role to the contents of a published file.

    Raises
    ------
    ValueError
        If the converter does not exist or does not accept the file, or if the network does not match the card.
    """
    convert = _EMBEDDERS.get(converter)
    if convert is None:
        raise ValueError(f"there is no embedder converter {converter!r}; known: {', '.join(_EMBEDDERS)}")
    model = convert(published, card)
    return {card.file: serialize(_smallest(model, card))}


def _smallest(model: onnx.ModelProto, card: EmbedderCard) -> onnx.ModelProto:
    """Return the model with float16 weights if its embeddings change by at most HALF_TOLERANCE, else unchanged.

    A network that already has float16 weights is returned unchanged.
    """
    if any(tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer):
        _embeddings(model, card)  # the trial run
        return model
    half = store_weights_as_half(model)
    full, stored = (_embeddings(candidate, card) for candidate in (model, half))
    change = (np.linalg.norm(full - stored, axis=1) / np.linalg.norm(full, axis=1)).max()
    return half if change <= HALF_TOLERANCE else model


def _embeddings(model: onnx.ModelProto, card: EmbedderCard) -> NDArray[np.float32]:
    """Return the network's embeddings of four chips of noise, run one by one, 4 x dimension."""
    pixels = np.random.default_rng(0).uniform(0, 255, (4, card.input_size, card.input_size, 3))
    chips = ((pixels - card.mean) * card.scale).transpose(0, 3, 1, 2).astype(np.float32)
    try:
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        embeddings: NDArray[np.float32] = np.concatenate([session.run(None, {name: chip[None]})[0] for chip in chips])
    except Exception as error:  # the runtime may raise anything for a graph that it cannot run
        raise ValueError(f"ONNX Runtime cannot run the network: {error}") from error
    if embeddings.shape != (4, card.dimension):
        given = " x ".join(map(str, embeddings.shape[1:]))
        raise ValueError(f"a chip gives {given} values; the card says dimension = {card.dimension}")
    if not np.isfinite(embeddings).all():
        raise ValueError("the network gives values that are not finite; mean and scale in the card may be wrong")
    return embeddings
