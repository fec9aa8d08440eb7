"""Measures a pack's accuracy: `python -m models.accuracy faces.csv more.csv:pad=0.15 --lfw lfw`.

Writes accuracy.md and accuracy-roc.svg to the folder given by `--into`. Everything else goes to build/accuracy: the
embeddings, which let an interrupted run continue, thresholds.toml for the card, and pictures of the worst pairs.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

import cv2

from chalicelib.vision.model_pack import ModelPack, ModelPackError
from models.accuracy import lfw_protocol, report, worst_pairs
from models.accuracy.labelled_faces import PAIRS_FILE, LabelsError, read_csv, read_lfw
from models.accuracy.measured_set import MeasuredSet, measure
from models.accuracy.set_embeddings import SCRATCH, SetEmbedder
from models.build import CURRENT


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.accuracy", description="Measure a pack's accuracy.")
    parser.add_argument(
        "csv", nargs="*", help="CSV files with the columns person and file; file.csv:pad=0.15 adds a border"
    )
    parser.add_argument("--lfw", type=Path, help=f"a folder with LFW's pictures and {PAIRS_FILE}")
    parser.add_argument("--pack", type=Path, default=CURRENT, help="the pack's folder")
    parser.add_argument("--into", type=Path, default=SCRATCH, help="the folder for the report")
    given = parser.parse_args(arguments)
    if not given.csv and given.lfw is None:
        parser.error("give at least one CSV file or --lfw")
    try:
        run(given.csv, given.lfw, given.pack, given.into)
    except (LabelsError, ModelPackError) as error:
        sys.exit(f"The accuracy was not measured: {error}")


def run(csv: list[str], lfw: Path | None, pack_folder: Path, into: Path, scratch: Path = SCRATCH) -> None:
    cv2.setNumThreads(1)
    labelled_sets = [*map(read_csv, csv), *([read_lfw(lfw)] if lfw else [])]
    protocol = lfw_protocol.read_pairs(lfw / PAIRS_FILE) if lfw else None
    pack = ModelPack(pack_folder)
    embedder = SetEmbedder(pack, scratch)
    into.mkdir(parents=True, exist_ok=True)
    sets: list[MeasuredSet] = []
    standard = None
    for labelled in labelled_sets:
        print(f"{labelled.name}: {len(labelled.files)} pictures ...", flush=True)
        embeddings, lengths = embedder.measure(labelled)
        sets.append(measure(labelled, embeddings, lengths))
        worst_pairs.draw(sets[-1], scratch / f"worst-pairs-{labelled.name}.png")
        if protocol and labelled.central:
            standard = lfw_protocol.run(protocol, labelled, embeddings)
    plot = _plot(sets, into)
    section = report.markdown(pack.embedding_id, _command(csv, lfw), sets, standard, plot)
    report.write_section(into / "accuracy.md", section)
    (scratch / "thresholds.toml").write_text(report.card_thresholds(sets), encoding="utf-8")
    print(section)


def _plot(sets: list[MeasuredSet], into: Path) -> str | None:
    if importlib.util.find_spec("matplotlib") is None:
        print("No plot: matplotlib is not installed; `make accuracy` installs it.")
        return None
    from models.accuracy import roc_plot

    roc_plot.draw(sets, into / "accuracy-roc.svg")
    return "accuracy-roc.svg"


def _command(csv: list[str], lfw: Path | None) -> str:
    """Return the command, with only the last two parts of each path, to hide details of the machine."""
    paths = ["/".join(Path(argument).parts[-2:]) for argument in csv]
    return " ".join(["python -m models.accuracy", *paths, *(["--lfw", lfw.name] if lfw else [])])


if __name__ == "__main__":
    main()
