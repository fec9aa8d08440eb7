"""Faces with crops to re-embed: variations of one photograph, so that no two embeddings are equal."""

from __future__ import annotations

import uuid
from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np

from chalicelib.faces import Embedding, KnownFace, new_token
from chalicelib.images import decoding
from chalicelib.service.crop_embedder import CropEmbedder
from chalicelib.service.face_service import as_crop
from chalicelib.stores.aws.crops import Crop, CropStore
from chalicelib.vision.model import Model
from tests import pictures
from tests.packs import detector, dlib_pack

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


# Embeddings by model id and seed.
_embeddings: defaultdict[str, dict[int, Embedding]] = defaultdict(dict)


@cache
def _original() -> Crop:
    picture = pictures.scaled(pictures.astronaut(), 256, 256)
    [face] = detector().detect(picture)
    return as_crop(picture, "", face, dlib_pack().detector_id)


@cache
def crop(seed: int) -> Crop:
    """Return a crop with the dlib pack's landmarks and its own name."""
    image = decoding.decode_crop(_original().jpeg)
    assert image is not None
    random = np.random.default_rng(seed)
    changed = image * random.uniform(0.5, 1.2, 3) + random.normal(0, 8, image.shape)
    bgr = cv2.cvtColor(np.clip(changed, 0, 255).astype(np.uint8), cv2.COLOR_RGB2BGR)
    jpeg = cv2.imencode(".jpg", bgr)[1].tobytes()
    return _original()._replace(name=f"{uuid.uuid4()}.jpg", jpeg=jpeg)


def keep(crops: CropStore, saved: Crop) -> str:
    """Save a permanent crop as the service does, and return its name."""
    crops.save_temporary([saved])
    name = crops.keep(saved.name)
    assert name is not None
    return name


def known_faces(crops: CropStore, model: Model, seeds: range) -> list[KnownFace]:
    """Return faces named after their seeds, with embeddings under a model and crops in the store."""
    kept = _embeddings[model.embedding_id]
    new = [seed for seed in seeds if seed not in kept]
    for seed, result in zip(new, CropEmbedder(model).embed([crop(seed) for seed in new]), strict=True):
        assert result is not None
        kept[seed] = result.embedding
    return [
        KnownFace(new_token(), str(seed), kept[seed], model.embedding_id, keep(crops, crop(seed))) for seed in seeds
    ]


def delete_crop(s3: S3Client, bucket: str, name: str) -> None:
    s3.delete_object(Bucket=bucket, Key=f"faces/{name}")
