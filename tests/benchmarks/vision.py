"""What a picture costs, and how well people are told apart: `python -m tests.benchmarks.vision`.

Speed: one thread, the median of many runs, on a picture with one face and on a group photograph where the labelled
faces are at hand. Accuracy: all pairs of the labelled people, at the reference threshold.
"""

from __future__ import annotations

import csv
import statistics
import time

import cv2
import numpy as np

from chalicelib.faces import Image
from tests.packs import SHARED_FACES, detector, embedder
from tests.pictures import astronaut, read, scaled

RUNS = 50
THRESHOLD = 0.65


def main() -> None:
    cv2.setNumThreads(1)
    pictures = {"one face": astronaut()}
    if SHARED_FACES.exists():
        pictures["a group"] = read(SHARED_FACES / "groups" / "bbt1.jpg")
    for name, picture in pictures.items():
        for width, height in ((640, 480), (1280, 720)):
            print(f"{name}, {width} x {height}: {_speed(scaled(picture, width, height))}")
    if SHARED_FACES.exists():
        print(f"people.csv: {_accuracy('people.csv')}")


def _speed(picture: Image) -> str:
    detect, embed = [], []
    for _ in range(RUNS):
        started = time.perf_counter()
        faces = detector().detect(picture)
        found = time.perf_counter()
        embedder().embed(picture, [face.landmarks for face in faces])
        detect.append(found - started)
        embed.append(time.perf_counter() - found)
    return (
        f"{len(faces)} faces, detect {statistics.median(detect) * 1000:.1f} ms, "
        f"embed {statistics.median(embed) * 1000:.1f} ms"
    )


def _accuracy(file: str) -> str:
    with (SHARED_FACES / file).open() as opened:
        rows = list(csv.DictReader(opened))
    people, embeddings = [], []
    for row in rows:
        picture = read(SHARED_FACES / row["file"])
        for face in detector().detect(picture)[:1]:
            people.append(row["person"])
            embeddings.append(embedder().embed(picture, [face.landmarks])[0].astype(np.float64))
    first, second = np.triu_indices(len(people), 1)
    distances = np.linalg.norm(np.array(embeddings)[first] - np.array(embeddings)[second], axis=1)
    same = np.array(people)[first] == np.array(people)[second]
    return (
        f"a face in {len(people)} of {len(rows)} pictures; at {THRESHOLD} "
        f"{np.mean(distances[same] <= THRESHOLD):.2%} of {same.sum()} pairs of one person match and "
        f"{np.mean(distances[~same] <= THRESHOLD):.2%} of {(~same).sum()} pairs of two"
    )


if __name__ == "__main__":
    main()
