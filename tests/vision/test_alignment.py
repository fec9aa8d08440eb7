"""Aligning faces to the embedder's pose and size."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from chalicelib.faces import Image
from chalicelib.vision.alignment import align, similarity
from tests.pictures import astronaut, scaled

TEMPLATE = np.array([[47.55, 46.60], [100.48, 46.60], [74.01, 76.56], [50.41, 103.02], [97.61, 103.02]])
SIZE = 150


def _matrix(angle: float, scale: float, x: float, y: float) -> NDArray[np.float64]:
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[cos, -sin, x], [sin, cos, y]])


@given(angle=st.floats(-3.14, 3.14), scale=st.floats(0.01, 50), x=st.floats(-1000, 1000), y=st.floats(-1000, 1000))
def test_a_similarity_is_recovered(angle: float, scale: float, x: float, y: float) -> None:
    expected = _matrix(angle, scale, x, y)
    moved = TEMPLATE @ expected[:, :2].T + expected[:, 2]

    assert similarity(TEMPLATE, moved) == pytest.approx(expected, abs=1e-6 * (1 + abs(x) + abs(y) + scale))


def test_the_similarity_is_the_least_squares_fit() -> None:
    random = np.random.default_rng(5)
    source, target = TEMPLATE, TEMPLATE + random.normal(0, 5, (5, 2))
    best = similarity(source, target)

    def error(matrix: NDArray[np.float64]) -> float:
        return float(np.sum((source @ matrix[:, :2].T + matrix[:, 2] - target) ** 2))

    for angle, scale, x, y in random.normal(0, 0.02, (200, 4)):
        turned = _matrix(angle, 1 + scale, x, y)
        other = np.concatenate([turned[:, :2] @ best[:, :2], best[:, 2:] + turned[:, 2:]], axis=1)
        assert error(other) >= error(best)


def test_coinciding_points_do_not_fail() -> None:
    chip = align(astronaut(), np.full((5, 2), 100, np.float32), TEMPLATE, SIZE)

    assert chip.shape == (SIZE, SIZE, 3)


@pytest.mark.parametrize("scale", [0.3, 0.5, 0.9, 1.0, 1.7, 2.5, 5.0])
@pytest.mark.parametrize("angle", [0.0, 0.3])
def test_the_chip_does_not_depend_on_the_pictures_size(scale: float, angle: float) -> None:
    """A face at any size and angle gives the same chip, except for detail that a small picture lacks."""
    smooth = np.asarray(cv2.GaussianBlur(scaled(astronaut(), SIZE, SIZE), (0, 0), 4), np.uint8)
    # The chip is the picture itself. Now show the picture scaled and turned, with pixel centres at integer coordinates.
    placed = _matrix(angle, scale, 0, 0)
    placed[:, 2] = np.array([500, 500]) - placed[:, :2] @ np.array([75, 75])
    picture = np.asarray(cv2.warpAffine(smooth, placed, (1000, 1000), flags=cv2.INTER_CUBIC), np.uint8)
    landmarks = (TEMPLATE @ placed[:, :2].T + placed[:, 2]).astype(np.float32)

    chip = align(picture, landmarks, TEMPLATE, SIZE)

    inner = slice(10, -10)
    assert _difference(chip[inner, inner], smooth[inner, inner]) < 1.5


def test_a_large_face_is_not_aliased() -> None:
    """Stripes of one pixel average to grey. Sampling every tenth pixel would show them at full contrast."""
    stripes = np.zeros((1500, 1500, 3), np.uint8)
    stripes[:, ::2] = 255
    landmarks = (TEMPLATE * 10).astype(np.float32)

    chip = align(stripes, landmarks, TEMPLATE, SIZE)

    assert chip[5:-5, 5:-5].min() > 110
    assert chip[5:-5, 5:-5].max() < 145


def test_pixels_outside_the_picture_are_black() -> None:
    white = np.full((100, 100, 3), 255, np.uint8)

    chip = align(white, (TEMPLATE - 75).astype(np.float32), TEMPLATE, SIZE)

    assert chip[:70, :70].max() == 0
    assert chip[80:, 80:].min() == 255


def _difference(a: Image, b: Image) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())
