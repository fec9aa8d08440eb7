"""Counts refusals of real pictures, and measures decoding time.

`python -m tests.harness.hostile.pictures.real_pictures FOLDER ...`.

Takes turns with OpenCV, with one thread each. OpenCV also reads JPEGs that end early.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from chalicelib.errors import ServiceError
from chalicelib.images import decoding

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass
class Comparison:
    """The results; times are in seconds, and `refused` has files with the details for the client."""

    taken: int = 0
    refused: list[tuple[Path, str]] = field(default_factory=list)
    other_pixels: list[Path] = field(default_factory=list)
    seconds: float = 0
    opencv_seconds: float = 0


def compare(files: Iterable[Path]) -> Comparison:
    """Decode each file with both decoders."""
    cv2.setNumThreads(1)
    found = Comparison()
    for path in files:
        data = path.read_bytes()
        start = time.perf_counter()
        other = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
        middle = time.perf_counter()
        try:
            image = decoding.decode(data)
        except ServiceError as error:
            found.refused.append((path, error.detail))
            continue
        found.seconds += time.perf_counter() - middle
        found.opencv_seconds += middle - start
        found.taken += 1
        if other is None or not np.array_equal(image, other):
            found.other_pixels.append(path)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    files = [path for folder in parser.parse_args().folders for path in sorted(folder.rglob("*"))]
    found = compare(path for path in files if path.suffix.lower() in SUFFIXES)
    for path, detail in found.refused:
        sys.stdout.write(f"refused: {path}: {detail}\n")
    for path in found.other_pixels:
        sys.stdout.write(f"other pixels than OpenCV's: {path}\n")
    sys.stdout.write(
        f"{found.taken:,} taken, {len(found.refused):,} refused, {len(found.other_pixels):,} with other pixels; "
        f"{found.seconds / found.opencv_seconds:.2f} of OpenCV's time.\n"
    )


if __name__ == "__main__":
    main()
