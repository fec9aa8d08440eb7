"""Measures recall on leaning faces, and time without a face: `python -m tests.harness.benchmarks.leaning`.

Needs the labelled faces beside the project. Writes its section of docs/benchmarks.md; takes some ten minutes.
"""

from __future__ import annotations

import csv
import sys
import time

import cv2
import numpy as np

from chalicelib.faces import Image
from chalicelib.vision.detector import Detector
from chalicelib.wiring import upright_detector
from tests.harness.benchmarks import report
from tests.packs import SHARED_FACES, detector, dlib_pack
from tests.pictures import cat, read, scaled
from tests.vision.test_turned import leaning

ROUNDS = 7
SIZES = ((640, 480), (1280, 720), (4096, 4096))


def main() -> None:
    if not SHARED_FACES.exists():
        sys.exit("The labelled faces are not beside the project.")
    cv2.setNumThreads(1)
    upright, turned = upright_detector(dlib_pack()), detector()
    with (SHARED_FACES / "people.csv").open(newline="") as file:
        people = [read(SHARED_FACES / row["file"]) for row in csv.DictReader(file)]
    angles = report.table(
        ["turned by", "found without turning", "found with turning"],
        [_angle(degrees, people, upright, turned) for degrees in range(0, 360, 15)],
    )
    costs = report.table(
        ["picture without a face", "without turning", "with turning", "ratio"],
        [_cost(scaled(cat(), *size), upright, turned) for size in SIZES],
    )
    text = f"{report.machine()}. {len(people)} pictures of people.csv, turned on a black background:\n\n{angles}\n\n"
    report.write_section("leaning", f"{text}One thread, the minimum of {ROUNDS} rounds:\n\n{costs}")


def _angle(degrees: int, people: list[Image], upright: Detector, turned: Detector) -> list[str]:
    pictures = [leaning(person, degrees)[0] for person in people]
    shares = [np.mean([bool(one.detect(picture)) for picture in pictures]) for one in (upright, turned)]
    return [f"{degrees} degrees", *(f"{share:.1%}".replace("%", " %") for share in shares)]


def _cost(picture: Image, upright: Detector, turned: Detector) -> list[str]:
    times: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(ROUNDS):
        for which, one in enumerate((upright, turned)):
            started = time.process_time()
            assert not one.detect(picture)
            times[which].append(time.process_time() - started)
    once, all_looks = min(times[0]), min(times[1])
    height, width = picture.shape[:2]
    return [f"{width} x {height}", f"{once * 1e3:.0f} ms", f"{all_looks * 1e3:.0f} ms", f"{all_looks / once:.1f}"]


if __name__ == "__main__":
    main()
