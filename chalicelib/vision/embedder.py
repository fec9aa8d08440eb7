"""Computes the embeddings of faces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chalicelib import deadline
from chalicelib.faces import Image, Landmarks
from chalicelib.vision.alignment import align
from chalicelib.vision.model_pack import EmbedderCard, Network

# Chips per run. The maps of one chip stay in the processor's cache. With eight at once, retail-0095 and MobileFaceNet
# take up to 1.4 times as long per face, and dlib's network is no faster.
BATCH = 1


class Embedded(NamedTuple):
    """The embeddings of n faces.

    Attributes
    ----------
    embeddings : calibrated, n x dimension.
    lengths : of the network's outputs before they are scaled to length 1, n.
    recognisability : for each face, the share of LFW's faces that are harder to recognise, in percent; None if the
        model does not measure it. Meng et al., "MagFace: A Universal Representation for Face Recognition and Quality
        Assessment", 2021, describe the length as a measure of quality.
    """

    embeddings: NDArray[np.float32]
    lengths: NDArray[np.float32]
    recognisability: list[float | None]


class Embedder:
    """Aligns faces as the card specifies, and runs the network on them in batches."""

    def __init__(self, card: EmbedderCard, network: Network) -> None:
        self._card = card
        self._network = network
        self._template = np.array(card.template)
        self._mean = np.array(card.mean, np.float32)

    def embed(self, image: Image, faces: Sequence[Landmarks]) -> NDArray[np.float32]:
        """Return the calibrated embeddings, n x dimension, of the faces at these landmarks in an RGB image."""
        return self.measure(image, faces).embeddings

    def measure(self, image: Image, faces: Sequence[Landmarks]) -> Embedded:
        """Embed the faces at these landmarks in an RGB image, and measure how recognisable each is."""
        outputs = self._outputs([self.chip(image, face) for face in faces])
        lengths = np.linalg.norm(outputs, axis=1)
        return Embedded(self._calibrated(outputs), lengths, [self._recognisability(length) for length in lengths])

    def chip(self, image: Image, face: Landmarks) -> Image:
        """Return the face at these landmarks in an RGB image as an aligned RGB chip of the card's size."""
        return align(image, face, self._template, self._card.input_size)

    def embed_chips(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        """Return the calibrated embeddings, n x dimension, of aligned RGB chips of the card's size.

        Raises
        ------
        ServiceError
            503 if the request has run out of time.
        """
        return self._calibrated(self._outputs(chips))

    def _outputs(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        if not chips:
            return np.zeros((0, self._card.dimension), np.float32)
        return np.concatenate([self._run(chips[i : i + BATCH]) for i in range(0, len(chips), BATCH)])

    def _calibrated(self, outputs: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._card.unit_length:
            outputs = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
        return (outputs * np.float32(self._card.calibration)).astype(np.float32)

    def _recognisability(self, length: float) -> float | None:
        """Return the share of LFW's faces with a shorter output, in percent; None if the card has no such table."""
        if not self._card.recognisability:
            return None
        lengths, shares = zip(*self._card.recognisability, strict=True)
        return float(np.interp(length, lengths, shares))

    def _run(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        deadline.check()
        pixels = self._prepare(chips)
        if not self._card.mirrored:
            return self._network(pixels)
        both = self._network(np.concatenate([pixels, pixels[..., ::-1]]))
        return np.asarray((both[: len(chips)] + both[len(chips) :]) * np.float32(0.5))

    def _prepare(self, chips: Sequence[Image]) -> NDArray[np.float32]:
        pixels = np.stack(chips)
        if self._card.colour_order == "BGR":
            pixels = pixels[..., ::-1]
        values = (pixels - self._mean) * np.float32(self._card.scale)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2), np.float32)
