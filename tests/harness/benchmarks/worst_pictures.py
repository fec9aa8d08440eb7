"""Measures the worst accepted pictures' CPU time: `python -m tests.harness.benchmarks.worst_pictures`."""

from __future__ import annotations

import time

import cv2
import numpy as np

from chalicelib.faces import Image
from chalicelib.images import decoding
from chalicelib.service.face_service import as_crop
from chalicelib.settings import CONTRACT_IMAGE_BYTES, CONTRACT_SIDE_PX
from chalicelib.vision import quality
from chalicelib.vision.model import Model
from chalicelib.wiring import model
from tests.harness.benchmarks import report
from tests.packs import deployed_pack
from tests.vision.crowds import crowd, glyphs, noise, tiled

# The aim in seconds of CPU time: a third of a request's time limit.
MAX_SECONDS = 8
SIDE = CONTRACT_SIDE_PX


def main() -> None:
    cv2.setNumThreads(1)
    pack = deployed_pack()
    loaded = model(pack)
    _seconds(loaded, _file(crowd(10, 60)))  # work that a process does only once
    rows = []
    for name, picture in _pictures().items():
        file = _file(picture)
        faces, times = _seconds(loaded, file)
        cells = [f"{seconds:.2f}" for seconds in (*times, sum(times))]
        rows.append([name, f"{len(file) / 1e6:.2f}", str(faces), *cells])
    header = ["picture", "MB", "faces", "decode", "detect", "embed", "quality", "crops", "all"]
    text = f"{report.machine()}, {pack.name} pack, one thread, seconds of CPU time; the aim is {MAX_SECONDS} s."
    report.write_section("worst pictures", f"{text}\n\n{report.table(header, rows)}")


def _pictures() -> dict[str, Image]:
    crowds = {f"faces, {side} px apart": tiled(crowd(1, side), SIDE) for side in (24, 30, 40, 60, 90, 250)}
    textures = {f"dots and lines, {side} px apart": glyphs(side, SIDE) for side in (20, 30)}
    return crowds | textures | {"noise": noise(8, SIDE), "nothing": np.zeros((SIDE, SIDE, 3), np.uint8)}


def _file(picture: Image) -> bytes:
    """Return the picture as a PNG, or as the best JPEG if the PNG is too large."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    file = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()
    quality_percent = 95
    while len(file) > CONTRACT_IMAGE_BYTES:
        file = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality_percent])[1].tobytes()
        quality_percent -= 10
    return file


def _seconds(loaded: Model, file: bytes) -> tuple[int, list[float]]:
    """Return a picture's number of faces, and the CPU seconds of each step of /detect before the stores."""
    ends = [time.process_time()]
    image = decoding.decode(file)
    ends.append(time.process_time())
    faces = loaded.detector.detect(image)
    ends.append(time.process_time())
    loaded.embedder.embed(image, [face.landmarks for face in faces])
    ends.append(time.process_time())
    for face in faces:
        quality.judge(image, face)
    ends.append(time.process_time())
    for face in faces:
        as_crop(image, "", face, "")
    ends.append(time.process_time())
    return len(faces), np.diff(ends).tolist()


if __name__ == "__main__":
    main()
