"""A loaded model pack: a detector, an embedder, and the ids of their output."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.vision.detector import Detector
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import Threshold


class Model(NamedTuple):
    """A detector and an embedder that are ready to run.

    `smallest_face` is the size of the smallest face searched for, in pixels. Only embeddings with the same
    `embedding_id` can be compared. Landmarks with the same `detector_id` are found in the same way.
    """

    embedding_id: str
    detector_id: str
    smallest_face: int
    detector: Detector
    embedder: Embedder
    thresholds: tuple[Threshold, ...] = ()
