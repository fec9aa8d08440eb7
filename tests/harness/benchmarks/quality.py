"""Measures true matches of poor faces, and computes the mean head for poses.

`python -m tests.harness.benchmarks.quality`.

Needs the pictures of LFW beside the project. Writes docs/quality.md; takes some five minutes.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.faces import DetectedFace, Embedding, Image, Quality
from chalicelib.vision import quality
from chalicelib.vision.embedder import Embedder
from tests.harness.benchmarks import report
from tests.harness.benchmarks.peers.pictures import LFW
from tests.packs import deployed_pack, detector
from tests.pictures import read, scaled

DOCUMENT = report.DOCUMENT.with_name("quality.md")
PAIRS = 600
YAWS, PITCHES = (0, 10, 20, 30, 40, 50, 90), (0, 10, 20, 30, 40, 90)


@dataclass(frozen=True, slots=True)
class Shown:
    """Return the central face of a picture."""

    face: DetectedFace
    embedding: Embedding
    quality: Quality


def main() -> None:
    if not LFW.exists():
        sys.exit("LFW's pictures are not beside the project.")
    cv2.setNumThreads(1)
    files = sorted(LFW.glob("*/*.jpg"))
    faces = {file: shown for file in files if (shown := _central(read(file)))}
    pack = deployed_pack()
    threshold = next(t.distance for t in pack.thresholds if t.fmr == 1e-3)
    genuine = _genuine(faces)
    text = "\n\n".join(
        [
            f"{report.machine()}. True matches at {threshold}, {pack.name}'s threshold at a false match rate of 1e-3.",
            f"One picture of {PAIRS} pairs of LFW is degraded, the other unchanged:",
            _table_of_changes(faces, genuine, threshold),
            f"All {len(genuine):,} pairs of one person, by the angle of the head that is turned further:",
            _table_of_poses("yaw", YAWS, faces, genuine, threshold),
            _table_of_poses("pitch", PITCHES, faces, genuine, threshold),
            f"The mean head (`quality.HEAD`), from {len(faces):,} faces:\n\n```\n{_head(list(faces.values()))}\n```",
        ]
    )
    report.write_section("quality", text, DOCUMENT)


@cache
def _embedder() -> Embedder:
    pack = deployed_pack()
    return Embedder(pack.embedder, pack.network(pack.embedder.file))


def _central(picture: Image) -> Shown | None:
    middle = np.array(picture.shape[1::-1]) / 2
    found = detector().detect(picture)
    if not found:
        return None
    face = min(found, key=lambda f: float(np.abs(f.landmarks.mean(axis=0) - middle).sum()))
    return Shown(face, _embedder().embed(picture, [face.landmarks])[0], quality.judge(picture, face))


def _genuine(faces: dict[Path, Shown]) -> list[tuple[Path, Path]]:
    by_person = defaultdict(list)
    for file in faces:
        by_person[file.parent.name].append(file)
    return [pair for files in by_person.values() for pair in combinations(files, 2)]


def _changes() -> dict[str, Callable[[Image], Image]]:
    random = np.random.default_rng(0)

    def blurred(sigma: float) -> Callable[[Image], Image]:
        return lambda picture: np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)

    def lit(factor: float) -> Callable[[Image], Image]:
        return lambda p: np.clip(p * factor + random.normal(0, 2, p.shape), 0, 255).astype(np.uint8)

    def smaller(side: int) -> Callable[[Image], Image]:
        return lambda picture: scaled(picture, side, side)

    return {
        "as it is": lambda picture: picture,
        **{f"reduced to {side} px": smaller(side) for side in (120, 100, 86, 75, 64)},
        **{f"blurred, sigma {sigma:g} px": blurred(sigma) for sigma in (1, 1.5, 2, 2.5, 3, 4)},
        **{f"light x {factor:g}": lit(factor) for factor in (0.5, 0.25, 0.15, 0.1, 1.3, 1.7, 2.2)},
    }


def _table_of_changes(faces: dict[Path, Shown], genuine: Sequence[tuple[Path, Path]], threshold: float) -> str:
    one_each = {first.parent: (first, second) for first, second in genuine}  # one pair per person
    chosen = list(one_each.values())[:PAIRS]
    rows = []
    for name, change in _changes().items():
        changed = [(faces[first], _central(change(read(second)))) for first, second in chosen]
        seen = [(first, second) for first, second in changed if second is not None]
        near = [np.linalg.norm(first.embedding - second.embedding) <= threshold for first, second in seen]
        measured = [second.quality for _, second in seen]
        values = [np.median([getattr(q, field) for q in measured]) for field in ("size", "sharpness", "brightness")]
        poor = np.mean([bool(quality.reasons(q)) for q in measured])
        rows.append(
            [
                name,
                f"{values[0]:.0f} px",
                f"{values[1]:.2f}",
                f"{values[2]:.2f}",
                f"{len(seen) / len(chosen):.1%}",
                f"{np.mean(near):.1%}",
                f"{poor:.0%}",
            ]
        )
    return report.table(["", "size", "sharpness", "brightness", "found", "true matches", "called poor"], rows)


def _table_of_poses(
    angle: str, edges: Sequence[int], faces: dict[Path, Shown], genuine: Sequence[tuple[Path, Path]], threshold: float
) -> str:
    most = np.array([max(abs(getattr(faces[file].quality, angle)) for file in pair) for pair in genuine])
    distances = np.array([np.linalg.norm(faces[a].embedding - faces[b].embedding) for a, b in genuine])
    rows = []
    for least, end in pairwise(edges):
        inside = (most >= least) & (most < end)
        rate = f"{np.mean(distances[inside] <= threshold):.1%}" if inside.any() else ""
        rows.append([f"{least} to {end}", f"{inside.sum():,}", rate])
    return report.table([f"{angle}, degrees", "pairs", "true matches"], rows)


def _head(faces: Sequence[Shown]) -> NDArray[np.float64]:
    """Return the rigid shape with parallel projections nearest to the landmarks (Tomasi and Kanade, 1992)."""
    landmarks = np.array([shown.face.landmarks for shown in faces], np.float64)
    mirrored = landmarks[:, [1, 0, 2, 4, 3]] * (-1, 1)
    points = np.concatenate([landmarks, mirrored])
    points -= points.mean(axis=1, keepdims=True)
    points /= np.sqrt((points**2).sum(axis=(1, 2), keepdims=True))
    left, values, right = np.linalg.svd(points.transpose(0, 2, 1).reshape(-1, 5), full_matrices=False)
    motion, shape = left[:, :3] * np.sqrt(values[:3]), np.sqrt(values[:3])[:, None] * right[:3]
    # The rows of a rotation have equal length and are at right angles. Both conditions are linear in the symmetric
    # matrix that enforces them.
    x, y = motion[0::2], motion[1::2]
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]

    def products(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.stack([a[:, i] * b[:, j] + (a[:, j] * b[:, i] if i != j else 0) for i, j in pairs], axis=1)

    size = (products(x, x) + products(y, y)).mean(axis=0, keepdims=True) * len(points)
    equations = np.concatenate([products(x, x) - products(y, y), products(x, y), size])
    solution = np.linalg.lstsq(equations, np.append(np.zeros(2 * len(points)), len(points)), rcond=None)[0]
    metric = np.empty((3, 3))
    for value, (i, j) in zip(solution, pairs, strict=True):
        metric[i, j] = metric[j, i] = value
    lengths, axes = np.linalg.eigh(metric)
    head = (np.linalg.inv(axes * np.sqrt(lengths)) @ shape).T
    return _facing_the_camera(head - head.mean(axis=0), landmarks)


def _facing_the_camera(head: NDArray[np.float64], landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Turn a shape upright, in units of the distance between the eyes; the median face looks neither up nor down."""
    across = (head[1] - head[0]) / np.linalg.norm(head[1] - head[0])
    down = (head[3] + head[4] - head[0] - head[1]) / 2
    down = (down - across * (across @ down)) / np.linalg.norm(down - across * (across @ down))
    head = head @ np.stack([across, down, np.cross(across, down)]).T / np.linalg.norm(head[1] - head[0])
    if (
        head[2, 2] > head[:2, 2].mean()
    ):  # parallel projection does not determine the sign of the depth, but noses stick out
        head[:, 2] *= -1
    for _ in range(5):
        with_head = [quality.pose(face.astype(np.float32), head)[1] for face in landmarks[::7]]
        tilt = np.radians(np.median(with_head))
        head = head @ np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    return np.asarray(np.round(head - head.mean(axis=0), 2), np.float64)


if __name__ == "__main__":
    main()
