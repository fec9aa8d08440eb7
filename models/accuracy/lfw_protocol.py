"""Runs the standard protocol of Labeled Faces in the Wild: 6,000 pairs in 10 folds, Huang et al., 2007, section 4."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.accuracy.labelled_faces import LabelledSet, LabelsError


@dataclass(frozen=True, slots=True)
class StandardPairs:
    """The pairs: names of two pictures, `Name_0001`, n x 2; whether both are of one person; the fold, from 0."""

    pictures: list[tuple[str, str]]
    genuine: NDArray[np.bool_]
    folds: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class StandardResult:
    """The mean accuracy over the folds, its standard error, the least and largest threshold, and the pairs missed.

    `accuracy` counts a pair as wrong if no face was found in one of its pictures. `accuracy_of_found` leaves these
    pairs out.
    """

    accuracy: float
    standard_error: float
    accuracy_of_found: float
    thresholds: tuple[float, float]
    pairs: int
    folds: int
    pairs_without_a_face: int


def read_pairs(file: Path) -> StandardPairs:
    """Read pairs.txt: "folds, pairs", then for each fold this number of genuine pairs and of impostor pairs.

    Raises
    ------
    LabelsError
        If the file cannot be read or does not have this format.
    """
    try:
        head, *lines = file.read_text(encoding="utf-8").splitlines()
        folds, each = map(int, head.split())
        rows = [line.split() for line in lines if line.strip()]
        pictures = [_names(row) for row in rows]
    except OSError as error:
        raise LabelsError(f"the pairs {file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise LabelsError(f"the pairs {file} are not in LFW's format: {error}") from error
    if len(rows) != folds * each * 2:
        raise LabelsError(f"{file} must have {folds} x 2 x {each} pairs; it has {len(rows)}")
    genuine = np.array([len(row) == 3 for row in rows])
    return StandardPairs(pictures, genuine, np.arange(len(rows)) // (2 * each))


def run(pairs: StandardPairs, labelled: LabelledSet, embeddings: NDArray[np.float32]) -> StandardResult:
    """Measure the accuracy on each fold, with the threshold that has the most right answers on the other folds.

    Raises
    ------
    LabelsError
        If a picture of a pair is not in the set.
    """
    places = {file.stem: index for index, file in enumerate(labelled.files)}
    try:
        places_of_pairs = np.array([[places[name] for name in pair] for pair in pairs.pictures])
    except KeyError as error:
        raise LabelsError(f"the picture {error} of a pair is not in the folder") from error
    first, second = embeddings[places_of_pairs].astype(np.float64).transpose(1, 0, 2)
    distances = np.linalg.norm(first - second, axis=1)
    found = ~np.isnan(distances)
    accuracies, accuracies_of_found, thresholds = [], [], []
    for fold in np.unique(pairs.folds):
        inside = pairs.folds == fold
        threshold = best_threshold(distances[found & ~inside], pairs.genuine[found & ~inside])
        right = found & ((distances <= threshold) == pairs.genuine)
        accuracies.append(right[inside].mean())
        accuracies_of_found.append(right[inside & found].mean())
        thresholds.append(threshold)
    return StandardResult(
        float(np.mean(accuracies)),
        float(np.std(accuracies, ddof=1) / np.sqrt(len(accuracies))),
        float(np.mean(accuracies_of_found)),
        (min(thresholds), max(thresholds)),
        len(distances),
        len(accuracies),
        int((~found).sum()),
    )


def best_threshold(distances: NDArray[np.float64], genuine: NDArray[np.bool_]) -> float:
    """Return the threshold with the most right answers, halfway between the two distances that it separates."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]
    # Right answers if the first 0, 1, 2, ... pairs match, minus a constant.
    right = np.concatenate([[0], np.cumsum(np.where(genuine[order], 1, -1))])
    matching = int(np.argmax(right))
    below = ordered[max(matching - 1, 0)]
    above = ordered[min(matching, len(ordered) - 1)]
    return float(below + above) / 2


def _names(row: list[str]) -> tuple[str, str]:
    if len(row) == 3:
        name, first, second = row
        return f"{name}_{int(first):04d}", f"{name}_{int(second):04d}"
    name, first, other, second = row
    return f"{name}_{int(first):04d}", f"{other}_{int(second):04d}"
