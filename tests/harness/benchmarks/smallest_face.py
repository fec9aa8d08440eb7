"""Measures recall and time by SMALLEST_FACE_PX: `python -m tests.harness.benchmarks.smallest_face`."""

from __future__ import annotations

import statistics
from functools import partial

import cv2

from chalicelib.vision.detector import Detector
from chalicelib.vision.model_pack import ModelPack
from chalicelib.wiring import detector as build_detector
from tests.harness.benchmarks import report
from tests.harness.benchmarks.peers import pictures
from tests.packs import dlib_pack

SMALLEST_PX = (20, 30, 45, 60, 90)
SIZES = {(640, 480): 15, (1280, 720): 9, (4096, 4096): 3}


def main() -> None:
    cv2.setNumThreads(1)
    detectors = {px: build_detector(ModelPack(dlib_pack().folder, px)) for px in SMALLEST_PX}
    columns = [_times(list(detectors.values()), *size, runs) for size, runs in SIZES.items()]
    crowds = pictures.labelled().get("crowds", [])
    faces_px = sorted({_face_px(crowd) for crowd in crowds})
    rows = []
    for i, px in enumerate(SMALLEST_PX):
        found = [_found(detectors[px], [c for c in crowds if _face_px(c) == face]) for face in faces_px]
        rows.append([f"{px} px", *(f"{column[i]:.1f} ms" for column in columns), *found])
    header = ["", *(f"{width} x {height}" for width, height in SIZES), *(f"faces of {px} px" for px in faces_px)]
    text = f"{report.machine()}, one thread; mean time of the pictures above, and faces found in the crowds."
    report.write_section("smallest face", f"{text}\n\n{report.table(header, rows)}")


def _times(detectors: list[Detector], width: int, height: int, runs: int) -> list[float]:
    """Return each detector's milliseconds per picture, measured in turn."""
    shown = pictures.timed(width, height).values()
    each = [report.interleaved_ms([partial(d.detect, image) for d in detectors], runs) for image in shown]
    return [statistics.mean(times) for times in zip(*each, strict=True)]


def _face_px(crowd: pictures.Labelled) -> int:
    return crowd.tile * pictures.LFW_FACE // pictures.LFW_SIDE


def _found(detector: Detector, crowds: list[pictures.Labelled]) -> str:
    shown = [
        pictures.found(c, [[f.box.left, f.box.top, f.box.right, f.box.bottom] for f in detector.detect(c.image)])[0]
        for c in crowds
    ]
    return f"{sum(shown)} of {sum(c.faces for c in crowds)}"


if __name__ == "__main__":
    main()
