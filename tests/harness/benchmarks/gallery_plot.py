"""Plots the gallery's figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl

from tests.harness.benchmarks.report import DOCUMENT

if TYPE_CHECKING:
    from tests.harness.benchmarks.gallery import Point

mpl.use("svg")
from matplotlib import pyplot as plt  # must follow the choice of the backend


def draw(points: Sequence[Point]) -> None:
    """Plot latency and memory against the number of faces, with logarithmic axes, beside the document."""
    mpl.rcParams["svg.hashsalt"] = "face-search"
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), constrained_layout=True)
    faces = [point.faces for point in points]
    left.loglog(faces, [point.search_ms for point in points], "o-")
    left.set(xlabel="faces", ylabel="ms", title="whole search: poll, scan, rows")
    right.loglog(faces, [point.grown_bytes / 2**20 for point in points], "o-")
    right.set(xlabel="faces", ylabel="MiB", title="growth of the process")
    for axes in (left, right):
        axes.grid(visible=True, which="major", alpha=0.4)
    figure.savefig(DOCUMENT.parent / "benchmarks-gallery.svg", metadata={"Date": None})
    plt.close(figure)
