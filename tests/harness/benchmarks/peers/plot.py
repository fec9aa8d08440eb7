"""Plots the peers' figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl

from tests.harness.benchmarks.report import DOCUMENT

mpl.use("svg")
from matplotlib import pyplot as plt  # must follow the choice of the backend


def draw(milliseconds: Mapping[str, Mapping[str, float]], sizes: Sequence[str]) -> None:
    """Plot the milliseconds of each contender as bars, by title and size."""
    mpl.rcParams["svg.hashsalt"] = "face-search"
    figure, panels = plt.subplots(1, len(sizes), figsize=(10, 3.2), constrained_layout=True, sharey=True)
    titles = list(milliseconds)[::-1]
    for axes, size in zip(panels, sizes, strict=True):
        times = [milliseconds[title].get(size, 0.0) for title in titles]
        colours = ["tab:blue" if title.startswith("this project") else "tab:gray" for title in titles]
        bars = axes.barh(titles, times, color=colours)
        axes.bar_label(bars, fmt="%.0f", padding=2)
        axes.set(title=size, xlabel="ms a picture")
        axes.margins(x=0.25)
    figure.savefig(DOCUMENT.parent / "benchmarks-peers.svg", metadata={"Date": None})
    plt.close(figure)
