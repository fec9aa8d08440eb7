"""A saved crop's face gets an embedding under any pack, whatever the crop's size and the pack's detector."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from chalicelib.images import decoding
from chalicelib.service.crop_embedder import CropEmbedder
from chalicelib.service.face_service import as_crop
from chalicelib.vision.model import Model
from chalicelib.vision.model_pack import ModelPack
from chalicelib.wiring import model
from tests import pictures, saved_faces
from tests.packs import OTHER_DETECTOR, UNIT_LENGTH, variant

RAW, UNIT, OTHER = "dlib", "unit", "other-detector"
Models = dict[str, Model]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    folder = tmp_path_factory.mktemp("packs")
    packs = [ModelPack(variant(folder, changes)) for changes in ((), UNIT_LENGTH, OTHER_DETECTOR)]
    return {pack.name: model(pack) for pack in packs}


def test_the_packs_are_three_models_and_two_detectors(models: Models) -> None:
    assert len({loaded.embedding_id for loaded in models.values()}) == 3
    assert models[RAW].detector_id == models[UNIT].detector_id != models[OTHER].detector_id


def test_the_saved_face_is_chosen_from_two_faces_in_a_crop(models: Models) -> None:
    """The other face is larger, so the detector returns it first."""
    small, large = saved_faces.crop(1), pictures.scaled(pictures.astronaut(), 300, 300)
    image = decoding.decode_crop(small.jpeg)
    assert image is not None
    both = np.zeros((300, 300 + image.shape[1], 3), np.uint8)
    both[:, :300], both[: image.shape[0], 300:] = large, image
    assert small.landmarks is not None
    crop = small._replace(jpeg=pictures.jpeg(both), landmarks=small.landmarks + np.array([300, 0], np.float32))
    other = models[OTHER]
    assert len(other.detector.detect(both)) == 2

    [found] = CropEmbedder(other).embed([crop])

    [alone] = CropEmbedder(other).embed([small])
    assert found is not None
    assert alone is not None
    assert found.found_again
    assert np.linalg.norm(found.embedding - alone.embedding) < 0.2


@pytest.mark.parametrize("side", [12, 24, 47])
def test_crops_smaller_than_the_smallest_picture_are_embedded(models: Models, side: int) -> None:
    """A face of 30 px in the picture's corner gives a crop this small."""
    original = saved_faces.crop(1)
    image = decoding.decode_crop(original.jpeg)
    assert image is not None
    assert original.landmarks is not None
    height, width = image.shape[:2]
    tiny = np.asarray(cv2.resize(image, (side, 2 * side), interpolation=cv2.INTER_AREA), np.uint8)
    landmarks = (original.landmarks + 0.5) * np.array([side / width, 2 * side / height], np.float32) - 0.5
    crop = original._replace(jpeg=pictures.jpeg(tiny), landmarks=landmarks.astype(np.float32))

    for pack in (UNIT, OTHER):
        [embedded] = CropEmbedder(models[pack]).embed([crop])
        assert embedded is not None
        assert np.isfinite(embedded.embedding).all()


def test_a_small_face_is_found_again_in_its_place(models: Models) -> None:
    picture = pictures.scaled(pictures.astronaut(), 120, 120)  # the face's crop is 33 x 41 px
    raw, other = models[RAW], models[OTHER]
    [face] = raw.detector.detect(picture)
    crop = as_crop(picture, "small.jpg", face, raw.detector_id)

    [again] = CropEmbedder(other).embed([crop])

    assert again is not None
    assert again.found_again
    assert np.linalg.norm(again.embedding - other.embedder.embed(picture, [face.landmarks])[0]) < 0.3


def test_a_face_is_detected_in_a_crop_without_landmarks(models: Models) -> None:
    crop = saved_faces.crop(1)._replace(landmarks=None, detector_id=None)
    blank = crop._replace(jpeg=pictures.jpeg(np.full((90, 90, 3), 128, np.uint8)))

    found, nothing = CropEmbedder(models[RAW]).embed([crop, blank])

    assert found is not None
    assert found.found_again
    assert nothing is None
