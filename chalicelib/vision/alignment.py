"""Aligns a face to the pose and size that an embedder was trained on."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Image, Landmarks

# Chips are sampled this many times finer than their final size, then averaged. The source is first reduced by a whole
# factor, so that bilinear sampling misses none of its pixels. Both prevent aliasing, which changes the embeddings of
# large faces.
OVERSAMPLING = 2


def similarity(source: NDArray[np.float64], target: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the 2 x 3 matrix of rotation, uniform scale and shift that best maps `source` to `target`.

    Both are n x 2, [x, y]. The fit is by least squares, without reflection: Umeyama, "Least-Squares Estimation of
    Transformation Parameters Between Two Point Patterns", 1991. The code uses complex numbers, so that a similarity is
    z -> a z + b.
    """
    z, w = source @ (1, 1j), target @ (1, 1j)
    z0, w0 = z.mean(), w.mean()
    spread = float(np.sum(np.abs(z - z0) ** 2))
    a = np.sum(np.conj(z - z0) * (w - w0)) / spread if spread > 0 else 1.0 + 0j
    b = w0 - a * z0
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def align(image: Image, landmarks: Landmarks, template: NDArray[np.float64], size: int) -> Image:
    """Return a chip, `size` x `size` RGB, with the face's landmarks as near as possible to the template's points.

    Pixels outside the image are black, as in dlib and OpenCV.
    """
    matrix = similarity(landmarks.astype(np.float64), template)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale >= 1:  # the chip is no smaller than the face, so nothing can alias
        return _warp(image, matrix, size)
    image, matrix = _shrink(image, matrix, factor=int(1 / (scale * OVERSAMPLING)), size=size)
    # Pixel i of the finer chip covers [i, i + 1) / OVERSAMPLING: add half a pixel before scaling, subtract it after.
    finer = matrix * OVERSAMPLING
    finer[:, 2] += (OVERSAMPLING - 1) / 2
    chip = _warp(image, finer, size * OVERSAMPLING)
    # OpenCV's stubs declare no dtype.
    return cv2.resize(chip, (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _shrink(image: Image, matrix: NDArray[np.float64], factor: int, size: int) -> tuple[Image, NDArray[np.float64]]:
    """Return the part of the image that the chip shows, `factor` times smaller, and the matrix adjusted to it."""
    if factor < 2:
        return image, matrix
    corners = np.array([[0, 0, 1], [size, 0, 1], [0, size, 1], [size, size, 1]], np.float64)
    inverse = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))
    shown = (corners @ inverse.T)[:, :2]
    height, width = image.shape[:2]
    left, top = np.clip(np.floor(shown.min(axis=0)).astype(int) - factor, 0, (width - 1, height - 1))
    right, bottom = np.clip(np.ceil(shown.max(axis=0)).astype(int) + factor, (left + 1, top + 1), (width, height))
    part = image[top:bottom, left:right]
    new_width, new_height = max(1, (right - left) // factor), max(1, (bottom - top) // factor)
    small = cv2.resize(
        part[: new_height * factor, : new_width * factor], (new_width, new_height), interpolation=cv2.INTER_AREA
    )
    # Pixel j of `small` covers [j, j + 1) * factor of the part: x = left + (j + 0.5) * factor - 0.5.
    fitted = matrix.copy()
    offset = np.array([left, top]) + (factor - 1) / 2
    fitted[:, 2] = matrix[:, :2] @ offset + matrix[:, 2]
    fitted[:, :2] *= factor
    return small, fitted  # type: ignore[return-value]  # OpenCV's stubs declare no dtype


def _warp(image: Image, matrix: NDArray[np.float64], size: int) -> Image:
    # OpenCV's stubs declare no dtype.
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR)  # type: ignore[return-value]
