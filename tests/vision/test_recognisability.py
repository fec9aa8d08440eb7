"""With the recommended pack, covered faces are unrecognisable, and thresholds have error rates per set."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import pytest

from chalicelib.api import replies
from chalicelib.faces import Embedding, Quality
from chalicelib.gallery.gallery import Contents
from chalicelib.images import decoding
from chalicelib.vision import quality
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model import Model
from chalicelib.vision.model_pack import ModelPack
from chalicelib.wiring import model
from tests.packs import SHARED_CASES, SHARED_FACES, dlib_pack, needs_retail, needs_shared, retail_pack
from tests.pictures import astronaut, png

needs_cases = pytest.mark.skipif(not SHARED_CASES.exists(), reason="the pictures are not in ../shared")


@pytest.fixture(scope="module")
def retail() -> Model:
    return model(retail_pack())


def _look(retail: Model, file: bytes) -> tuple[Embedding, Quality]:
    image = decoding.decode(file)
    face = retail.detector.detect(image)[0]
    embedded = retail.embedder.measure(image, [face.landmarks])
    return embedded.embeddings[0], quality.judge(image, face, embedded.recognisability[0])


@needs_retail
@needs_cases
def test_covered_strangers_do_not_match_and_have_a_reason(retail: Model) -> None:
    covered = [_look(retail, (SHARED_CASES / f"covered_stranger_{n}.jpg").read_bytes()) for n in (1, 2)]
    strict = next(t.distance for t in retail_pack().thresholds if t.fmr == 1e-4)

    assert np.linalg.norm(covered[0][0] - covered[1][0]) > strict
    for _, judged in covered:
        assert [reason for reason in quality.reasons(judged) if "unrecognisable: covered" in reason]


@needs_retail
@needs_cases
def test_the_same_strangers_uncovered_are_far_apart_and_have_no_reason(retail: Model) -> None:
    uncovered = [_look(retail, (SHARED_CASES / f"uncovered_stranger_{n}.jpg").read_bytes()) for n in (1, 2)]

    assert np.linalg.norm(uncovered[0][0] - uncovered[1][0]) > 0.65
    for _, judged in uncovered:
        assert judged.recognisability is not None
        assert judged.recognisability > 10
        assert "unrecognisable" not in "".join(quality.reasons(judged))


@needs_retail
def test_a_plain_portrait_is_recognisable(retail: Model) -> None:
    _, judged = _look(retail, png(astronaut()))

    assert quality.reasons(judged) == []


@needs_retail
@needs_shared
def test_the_first_dimensions_hold_most_of_the_variance(retail: Model) -> None:
    with (SHARED_FACES / "people.csv").open(newline="") as file:
        faces = np.stack([_look(retail, (SHARED_FACES / row["file"]).read_bytes())[0] for row in csv.DictReader(file)])

    variances = faces.var(axis=0)

    assert variances[:64].sum() > 0.6 * variances.sum()


class Lengths:
    """A network that returns the same vector for every chip."""

    def __init__(self, length: float) -> None:
        self._length = length

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return np.full((len(pixels), 128), self._length / np.sqrt(128), np.float32)


@pytest.mark.parametrize(("length", "share"), [(5, 0), (10, 0), (11, 1), (11.5, 25.5), (12, 50), (20, 100)])
def test_the_share_is_interpolated_between_the_cards_lengths(length: float, share: float) -> None:
    card = dlib_pack().embedder._replace(recognisability=((10, 0), (11, 1), (12, 50), (15, 100)))
    landmarks = np.array([(40, 50), (70, 50), (55, 70), (42, 90), (68, 90)], np.float32)

    embedded = Embedder(card, Lengths(length)).measure(astronaut(), [landmarks])

    assert embedded.recognisability == [pytest.approx(share, abs=1e-4)]


def test_a_pack_without_a_table_lists_covered_faces_as_a_weakness() -> None:
    embedded = Embedder(dlib_pack().embedder, Lengths(10)).measure(astronaut(), [np.eye(5, 2, dtype=np.float32)])

    assert embedded.recognisability == [None]
    assert replies.COVERED_UNNOTICED in _info(dlib_pack())["weaknesses"]


@needs_retail
def test_info_has_every_sets_error_rate_at_a_threshold() -> None:
    strict = next(t for t in _info(retail_pack())["thresholds"] if t["fmr"] == 1e-4)

    assert set(strict["false_match_rates"]) == {"LFW", "people", "celebrities_112", "east_asia"}
    assert strict["worst_false_match_rate"] == max(strict["false_match_rates"].values())
    assert replies.COVERED_UNNOTICED not in _info(retail_pack())["weaknesses"]


def _info(pack: ModelPack) -> dict[str, Any]:
    described: dict[str, Any] = replies.info(pack, 0, Contents(version=1, faces=0, exact=True))["model"]
    return described
