"""What a pack is when it runs: a detector, an embedder, and the ids of what they produce."""

from __future__ import annotations

from typing import NamedTuple

from chalicelib.vision.detector import Detector
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import Threshold


class Model(NamedTuple):
    """Faces are looked for from `smallest_face` px on. Embeddings of different `embedding_id`s cannot be compared;
    landmarks of one `detector_id` are alike.
    """

    embedding_id: str
    detector_id: str
    smallest_face: int
    detector: Detector
    embedder: Embedder
    thresholds: tuple[Threshold, ...] = ()
