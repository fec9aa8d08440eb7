"""The contenders' pictures: scikit-image's astronaut, and photographs that are present beside the project."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import Image
from tests.packs import SHARED_FACES
from tests.pictures import astronaut, read, scaled

LFW = SHARED_FACES.parent / "lfw" / "images"
GREY = 127
GROUPS = ("bbt1.jpg", "multiface.jpg", "obama_and_biden.jpg")

# A crowd is a grid of 12 x 7 LFW pictures. In LFW's 250 px, the central face's shorter side is 93 px.
COLUMNS, ROWS, LFW_SIDE, LFW_FACE = 12, 7, 250, 93
# Tiles of these sizes show faces of 31, 37, 60 and 93 px.
CROWDS = (84, 100, 160, 250)
HARD_CROWDS = (
    ("turned", 90),
    ("turned", 160),
    ("dark", 100),
    ("blurred", 100),
    ("blurred", 160),
    ("covered", 84),
    ("covered", 160),
    ("pale", 80),
)


@dataclass(frozen=True, slots=True)
class Labelled:
    """A picture and its number of faces; for a crowd, also the centres of its tiles, n x 2, and a tile's side."""

    image: Image
    faces: int
    centres: NDArray[np.float64] | None = None
    tile: int = 0


def framed(picture: Image, width: int, height: int) -> Image:
    """Scale a picture to fit a frame; the rest of the frame is grey."""
    scale = min(width / picture.shape[1], height / picture.shape[0])
    fitted = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    frame = np.full((height, width, 3), GREY, np.uint8)
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    frame[: fitted[1], : fitted[0]] = cv2.resize(picture, fitted, interpolation=interpolation)
    return frame


def timed(width: int, height: int) -> dict[str, Image]:
    """Return one face, and groups of 4, 6 and 2 faces if they are present, in frames of one size."""
    pictures = {"one face": astronaut()}
    if SHARED_FACES.exists():
        pictures |= {f"group {name.removesuffix('.jpg')}": read(SHARED_FACES / "groups" / name) for name in GROUPS}
    return {name: framed(picture, width, height) for name, picture in pictures.items()}


def labelled() -> dict[str, list[Labelled]]:
    """Return the sets for recall that are present."""
    sets = {"one face": [Labelled(scaled(astronaut(), side, side), 1) for side in (150, 256, 512, 1024)]}
    if SHARED_FACES.exists():
        sets["people"] = [Labelled(read(SHARED_FACES / row["file"]), 1) for row in _rows("people.csv")]
        sets["groups"] = [Labelled(read(SHARED_FACES / row["file"]), int(row["faces"])) for row in _rows("groups.csv")]
    if LFW.exists():
        files = sorted(LFW.glob("*/*.jpg"))
        np.random.default_rng(1).shuffle(files)
        supply = iter(files)
        sets["crowds"] = [_crowd(supply, tile, "plain") for tile in CROWDS for _ in range(4 if tile < 200 else 2)]
        sets["hard crowds"] = [_crowd(supply, tile, kind) for kind, tile in HARD_CROWDS for _ in range(3)]
    return sets


def found(picture: Labelled, boxes: list[list[float]]) -> tuple[int, int]:
    """Return how many of a picture's faces the boxes contain, and how many boxes contain something else.

    In a crowd, another box is often a person in the background and not a mistake.
    """
    if picture.centres is None:
        return min(len(boxes), picture.faces), max(0, len(boxes) - picture.faces)
    edges = np.array(boxes).reshape(-1, 4)
    middles, sides = (edges[:, :2] + edges[:, 2:]) / 2, np.sqrt(np.prod(edges[:, 2:] - edges[:, :2], axis=1))
    away = np.abs(middles[:, None] - picture.centres[None]).max(axis=2) / picture.tile
    shows = (away < 0.18) & (np.abs(sides / picture.tile - 0.5) < 0.3)[:, None]
    return int(shows.any(axis=0).sum()), int((~shows.any(axis=1)).sum())


def _rows(name: str) -> list[dict[str, str]]:
    with (SHARED_FACES / name).open() as file:
        return list(csv.DictReader(file))


def _crowd(supply: Iterator[Path], tile: int, kind: str) -> Labelled:
    random = np.random.default_rng(tile)
    image = np.empty((ROWS * tile, COLUMNS * tile, 3), np.uint8)
    places = [(row * tile, column * tile) for row in range(ROWS) for column in range(COLUMNS)]
    for top, left in places:
        image[top : top + tile, left : left + tile] = _made_hard(read(next(supply)), tile, kind, random)
    return Labelled(image, len(places), np.array([(left, top) for top, left in places]) + tile / 2, tile)


def _made_hard(picture: Image, side: int, kind: str, random: np.random.Generator) -> Image:
    if kind == "turned":
        angle = random.choice([-1, 1]) * random.uniform(25, 45)
        middle = (picture.shape[1] / 2, picture.shape[0] / 2)
        turn = cv2.getRotationMatrix2D(middle, angle, 1)
        picture = np.asarray(
            cv2.warpAffine(picture, turn, picture.shape[1::-1], borderMode=cv2.BORDER_REFLECT), np.uint8
        )
    small = scaled(picture, side, side)
    if kind == "dark":
        return np.clip(small * 0.25 + random.normal(0, 4, small.shape), 0, 255).astype(np.uint8)
    if kind == "blurred":
        return np.asarray(cv2.GaussianBlur(small, (0, 0), side / 45), np.uint8)
    if kind == "covered":
        left = int(side * (0.5 + random.uniform(-0.05, 0.15)))
        small[int(side * 0.3) : int(side * 0.62), left : left + side // 5] = random.integers(0, 256, 3)
    return np.asarray(small // 4 + 96, np.uint8) if kind == "pale" else small
