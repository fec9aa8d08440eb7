"""Measures how well faces are grouped by person: `python -m models.accuracy.grouping faces.csv more.csv:pad=0.15`.

Writes its table into accuracy.md in the folder given by `--into`. Embeddings are kept in build/accuracy, as
`python -m models.accuracy` keeps them.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from chalicelib.service.grouping import groups
from chalicelib.vision.model_pack import ModelPack, ModelPackError
from models.accuracy import report
from models.accuracy.labelled_faces import LabelledSet, LabelsError, read_csv
from models.accuracy.set_embeddings import SCRATCH, SetEmbedder
from models.build import CURRENT

BEGIN, END = "<!-- begin grouping -->", "<!-- end grouping -->"


class Measured(NamedTuple):
    """How well the pictures of a set are grouped.

    Of all pairs of pictures that share a group, `precision` show one person. Of all pairs of one person, `recall` share
    a group. `groups` counts the groups of at least two pictures, `alone` the pictures in no group.
    """

    precision: float
    recall: float
    groups: int
    alone: int


def measure(embeddings: NDArray[np.float32], people: Sequence[str], threshold: float) -> Measured:
    """Group embeddings, n x dimension; a row of NaN is a picture without a face, which is in no group."""
    found = np.flatnonzero(~np.isnan(embeddings[:, 0]))
    made = [[people[found[face]] for face in group] for group in groups(embeddings[found], threshold)]
    several = [group for group in made if len(group) > 1]
    joined = sum(_pairs(len(group)) for group in several)
    right = sum(_pairs(count) for group in several for count in Counter(group).values())
    of_one_person = sum(map(_pairs, Counter(people).values()))
    return Measured(
        right / joined if joined else 1.0,
        right / of_one_person if of_one_person else 1.0,
        len(several),
        len(people) - sum(map(len, several)),
    )


def table(pack: ModelPack, sets: Sequence[LabelledSet], command: str) -> str:
    """Return the section of the report, with its marks: every set at every threshold of the pack's card."""
    embedder = SetEmbedder(pack, SCRATCH)
    header = [
        "set",
        "people with several pictures",
        *(f"{one.distance:g}, FMR {report.rate_text(one.fmr)}" for one in pack.thresholds),
    ]
    lines = [header, ["---"] * len(header)]
    for labelled in sets:
        print(f"{labelled.name}: {len(labelled.files)} pictures ...", flush=True)
        embeddings = embedder.embed(labelled)
        several = sum(count > 1 for count in Counter(labelled.people).values())
        cells = [cell(measure(embeddings, labelled.people, one.distance)) for one in pack.thresholds]
        lines.append([f"{labelled.name}, {len(labelled.files)} pictures", str(several), *cells])
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{BEGIN}\n\nEmbedding id: `{pack.embedding_id}`. Command:\n\n    {command}\n\n{rows}\n\n{END}\n"


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m models.accuracy.grouping", description="Measure the grouping of faces."
    )
    parser.add_argument("csv", nargs="+", help="CSV files as for `python -m models.accuracy`")
    parser.add_argument("--pack", type=Path, default=CURRENT, help="the pack's folder")
    parser.add_argument("--into", type=Path, default=SCRATCH, help="the folder of accuracy.md")
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    # Only the last two parts of each path, to hide details of the machine.
    command = " ".join(["python -m models.accuracy.grouping", *("/".join(Path(one).parts[-2:]) for one in given.csv)])
    try:
        section = table(ModelPack(given.pack), [read_csv(one) for one in given.csv], command)
    except (LabelsError, ModelPackError) as error:
        sys.exit(f"The grouping was not measured: {error}")
    given.into.mkdir(parents=True, exist_ok=True)
    report.write_section(given.into / "accuracy.md", section)
    print(section)


def cell(measured: Measured) -> str:
    return (
        f"{measured.precision:.2%} precise, {measured.recall:.2%} recalled, {measured.groups} groups, "
        f"{measured.alone} alone"
    ).replace("%", " %")


def _pairs(count: int) -> int:
    return count * (count - 1) // 2


if __name__ == "__main__":
    main()
