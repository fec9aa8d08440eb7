"""Plots the curves of all sets in one figure; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

from models.accuracy.measured_set import FEWEST_FALSE_MATCHES, REFERENCE, MeasuredSet
from models.accuracy.rates import rates

mpl.use("svg")
from matplotlib import pyplot as plt  # after choosing the backend

# Points per curve: one for each of LFW's impostor pairs would make a file of many megabytes.
POINTS = 300


def draw(sets: Sequence[MeasuredSet], file: Path) -> None:
    """Plot the true match rate over the false match rate (logarithmic), with a dot at the reference threshold."""
    mpl.rcParams["svg.hashsalt"] = "face-search"
    figure, axes = plt.subplots(figsize=(7, 4.5), constrained_layout=True)
    for measured in sets:
        of_set = rates(measured.pairs)
        impostor = measured.pairs.impostor
        numbers = np.unique(np.geomspace(min(FEWEST_FALSE_MATCHES, len(impostor)), len(impostor), POINTS).astype(int))
        false_matches, true_matches = of_set.curve(impostor[numbers - 1])
        [line] = axes.semilogx(false_matches, true_matches, label=measured.labelled.name)
        axes.plot(of_set.false_match_rate(REFERENCE), of_set.true_match_rate(REFERENCE), "o", color=line.get_color())
    axes.set(xlabel="false match rate", ylabel="true match rate", title=f"dots: a threshold of {REFERENCE}")
    axes.grid(visible=True, which="major", alpha=0.4)
    axes.legend(loc="lower right")
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
