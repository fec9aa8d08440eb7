"""Writes the accuracy report: tables in Markdown, and the entries for a model card."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from chalicelib.vision.quality import LEAST_RECOGNISABILITY
from models.accuracy.lfw_protocol import StandardResult
from models.accuracy.measured_set import FALSE_MATCH_RATES, FEWEST_FALSE_MATCHES, REFERENCE, Figure, MeasuredSet

BEGIN, END = "<!-- begin accuracy -->", "<!-- end accuracy -->"
MOST_NAMED = 10
# The percentiles of lengths in a card's table `recognisability`.
SHARES = (0, 0.1, 0.5, 1, 2, 5, 10, 25, 50, 75, 90, 99, 100)


def markdown(
    pack: str, command: str, sets: Sequence[MeasuredSet], standard: StandardResult | None, plot: str | None
) -> str:
    """Return the whole section with its marks; `pack` is the embedding id, `plot` the plot's file name."""
    parts = [f"Embedding id: `{pack}`. Command:\n\n    {command}", _table(sets)]
    parts += [
        f"No face was found in {_counted(measured.missed)} of {measured.labelled.name}."
        for measured in sets
        if measured.missed
    ]
    if plot:
        parts.append(f"![true match rate over false match rate]({plot})")
    if standard:
        parts.append(_standard(standard))
    parts.append(
        "The card uses the thresholds of the set with the most impostor pairs. It states the rates of every set at "
        "these thresholds.\n\n" + _at_card_thresholds(sets)
    )
    parts.append(
        "For the card, from the set with the most impostor pairs:\n\n```toml\n" + card_thresholds(sets) + "```"
    )
    parts.append(_recognisability(sets))
    return "\n\n".join([BEGIN, *parts, END]) + "\n"


def write_section(document: Path, section: str) -> None:
    """Replace the section between the marks that it begins and ends with; create the document if there is none."""
    begin, *_, end = section.strip().splitlines()
    text = document.read_text(encoding="utf-8") if document.exists() else f"# Accuracy\n\n{begin}\n{end}\n"
    before, _, rest = text.partition(begin)
    after = rest.partition(end)[2]
    document.write_text(before + section.rstrip("\n") + after, encoding="utf-8")


def card_thresholds(sets: Sequence[MeasuredSet]) -> str:
    """Return a card's [[thresholds]], measured on the set with the most impostor pairs.

    Each has the false match rates of all sets at its distance.
    """
    measured = _largest(sets)
    labelled, pairs = measured.labelled, measured.pairs
    data = (
        f"{labelled.name}, all pairs of {len(labelled.files):,} pictures: "
        f"{len(pairs.genuine):,} genuine, {pairs.impostors:,} impostor"
    )
    entries = []
    for fmr, (threshold, true_matches) in _of_the_card(measured).items():
        found = ", ".join(f"{one.labelled.name} = {one.false_match_rate(threshold.value):.5f}" for one in sets)
        low, high = threshold.interval
        entries.append(
            "[[thresholds]]\n"
            f"fmr = {rate_text(fmr)}\n"
            f"distance = {threshold.value:.3f}              # 95 % interval {low:.3f} to {high:.3f}\n"
            f'data = "{data}"\n'
            f"true_match_rate = {true_matches.value:.3f}\n"
            f"false_match_rates = {{ {found} }}\n"
        )
    return "\n".join(entries)


def card_recognisability(sets: Sequence[MeasuredSet]) -> str:
    """Return a card's `recognisability`: percentiles of the lengths of the largest set's outputs."""
    lengths = _largest(sets).lengths
    pairs = [(float(np.nanpercentile(lengths, share)), share) for share in SHARES]
    return "recognisability = [" + ", ".join(f"[{length:.2f}, {share:g}]" for length, share in pairs) + "]\n"


def _recognisability(sets: Sequence[MeasuredSet]) -> str:
    """Return the effect on the rates of a limit on the length of the network's output."""
    name, limit = _largest(sets).labelled.name, float(np.nanpercentile(_largest(sets).lengths, LEAST_RECOGNISABILITY))
    header = ["", *(measured.labelled.name for measured in sets)]
    lines = [header, ["---"] * len(header)]
    shares = [float((one.lengths[one.pairs.found] < limit).mean()) for one in sets]
    lines.append(["faces below the limit", *(f"{share:.1%}".replace("%", " %") for share in shares)])
    left = [one.without_unrecognisable(limit) for one in sets]
    for fmr, (threshold, _) in _of_the_card(_largest(sets)).items():
        at = threshold.value
        cells = [
            f"{one.true_match_rate(at):.2%} -> {rest.true_match_rate(at):.2%} true, "
            f"{one.false_match_rate(at):.3%} -> {rest.false_match_rate(at):.3%} false"
            for one, rest in zip(sets, left, strict=True)
        ]
        lines.append([f"at {at:.3f}, FMR {rate_text(fmr)}", *(cell.replace("%", " %") for cell in cells)])
    return (
        f"Recognisability: {LEAST_RECOGNISABILITY:g} % of {name}'s faces have an output shorter than {limit:.2f}. "
        "Rates with and without these faces; a pair with a removed face counts as no match:\n\n"
        f"{_lines(lines)}\n\n```toml\n{card_recognisability(sets)}```"
    )


def _table(sets: Sequence[MeasuredSet]) -> str:
    rows: list[tuple[str, Callable[[MeasuredSet], str]]] = [
        ("pictures, people", lambda m: f"{len(m.labelled.files):,}, {len(set(m.labelled.people)):,}"),
        ("faces found", lambda m: f"{int(m.pairs.found.sum()):,}"),
        ("genuine pairs", lambda m: f"{len(m.pairs.genuine):,}"),
        ("impostor pairs", lambda m: f"{m.pairs.impostors:,}"),
        ("area under the curve", lambda m: f"{m.pairs.auc:.5f}"),
        ("equal error rate", lambda m: _percent(m.equal_error_rate)),
        (f"true matches at {REFERENCE}", lambda m: _percent(m.true_at_reference)),
        (f"false matches at {REFERENCE}", lambda m: _percent(m.false_at_reference)),
    ]
    for fmr in FALSE_MATCH_RATES:
        rows.append((f"threshold at FMR {rate_text(fmr)}", partial(_at, fmr=fmr, place=0, form=_distance)))
        rows.append((f"true matches at FMR {rate_text(fmr)}", partial(_at, fmr=fmr, place=1, form=_percent)))
    header = ["", *(measured.labelled.name for measured in sets)]
    lines = [header, ["---"] * len(header), *([name, *map(cell, sets)] for name, cell in rows)]
    return (
        _lines(lines)
        + f"\n\n\\* a rough figure: the rate amounts to fewer than {FEWEST_FALSE_MATCHES} pairs of different people."
    )


def _at_card_thresholds(sets: Sequence[MeasuredSet]) -> str:
    header = ["threshold", *(measured.labelled.name for measured in sets)]
    lines = [header, ["---"] * len(header)]
    for fmr, (threshold, _) in _of_the_card(_largest(sets)).items():
        cells = [
            f"{one.false_match_rate(threshold.value):.3%} false, {one.true_match_rate(threshold.value):.2%} true"
            for one in sets
        ]
        lines.append([f"{threshold.value:.3f}, FMR {rate_text(fmr)}", *(cell.replace("%", " %") for cell in cells)])
    return _lines(lines)


def _largest(sets: Sequence[MeasuredSet]) -> MeasuredSet:
    return max(sets, key=lambda one: one.pairs.impostors)


def _of_the_card(measured: MeasuredSet) -> dict[float, tuple[Figure, Figure]]:
    return {fmr: figures for fmr, figures in measured.at.items() if measured.supports(fmr)}


def _lines(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _at(measured: MeasuredSet, fmr: float, place: int, form: Callable[[Figure], str]) -> str:
    return form(measured.at[fmr][place]) + ("" if measured.supports(fmr) else " *")


def _standard(result: StandardResult) -> str:
    low, high = result.thresholds
    return (
        f"LFW's standard protocol, {result.pairs:,} pairs in {result.folds} folds: **{result.accuracy:.2%} ± "
        f"{result.standard_error:.2%}** (mean and standard error), thresholds {low:.3f} to {high:.3f}. "
        f"Pairs with a picture without a face count as wrong: {result.pairs_without_a_face}. "
        f"Without them, the accuracy is {result.accuracy_of_found:.2%}."
    ).replace("%", " %")


def _percent(figure: Figure) -> str:
    low, high = figure.interval
    return f"{figure.value:.2%} ({low:.2%} to {high:.2%})".replace("%", " %")


def _distance(figure: Figure) -> str:
    low, high = figure.interval
    return f"{figure.value:.3f} ({low:.3f} to {high:.3f})"


def rate_text(fmr: float) -> str:
    return f"{fmr:.0e}".replace("e-0", "e-")


def _counted(missed: Sequence[str]) -> str:
    more = f" and {len(missed) - MOST_NAMED} more" if len(missed) > MOST_NAMED else ""
    return f"{len(missed)} {'picture' if len(missed) == 1 else 'pictures'}, {', '.join(missed[:MOST_NAMED])}{more},"
