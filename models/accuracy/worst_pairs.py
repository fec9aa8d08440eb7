"""Draws the worst pairs of a set. The picture shows the faces of the set: keep it private."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Image
from models.accuracy.measured_set import MeasuredSet

MOST = 8
TILE_PX = 160


def draw(measured: MeasuredSet, file: Path) -> None:
    """Write two columns of pairs with distances: the nearest of different people, and the farthest of one person."""
    pairs = measured.pairs
    apart = np.flatnonzero(np.isfinite(pairs.genuine))[::-1][:MOST]
    columns = [
        _column(measured, pairs.impostor_pictures[:MOST], pairs.impostor[:MOST]),
        _column(measured, pairs.genuine_pictures[apart], pairs.genuine[apart]),
    ]
    height = max(len(column) for column in columns)
    filled = [np.pad(column, ((0, height - len(column)), (0, 20), (0, 0))) for column in columns]
    cv2.imwrite(str(file), cv2.cvtColor(np.concatenate(filled, axis=1), cv2.COLOR_RGB2BGR))


def _column(measured: MeasuredSet, pictures: NDArray[np.int64], distances: NDArray[np.float64]) -> Image:
    rows = [np.zeros((0, 2 * TILE_PX, 3), np.uint8)]
    for (first, second), distance in zip(pictures.tolist(), distances.tolist(), strict=True):
        row = np.concatenate([_tile(measured.labelled.read(index)) for index in (first, second)], axis=1)
        cv2.putText(row, f"{distance:.3f}", (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 0), 1, cv2.LINE_AA)
        rows.append(row)
    return np.concatenate(rows)


def _tile(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = TILE_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    tile = np.zeros((TILE_PX, TILE_PX, 3), np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    return tile
