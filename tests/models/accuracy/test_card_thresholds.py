"""The parts of a model card that come from a measured set."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from chalicelib.vision.model_pack import Threshold
from models.accuracy.labelled_faces import LabelledSet, LabelsError
from models.accuracy.measured_set import MeasuredSet, measure
from models.accuracy.report import card_thresholds, markdown
from models.build import CARDS
from tests.packs import needs_retail, retail_pack


def _measured(name: str, people: int) -> MeasuredSet:
    random = np.random.default_rng(11)
    names = np.repeat(np.arange(people), 4).astype(str)
    embeddings = random.normal(0, 0.3, (people, 16))[names.astype(int)] + random.normal(0, 0.09, (4 * people, 16))
    files = tuple(Path(f"{number}.jpg") for number in range(4 * people))
    return measure(LabelledSet(name, files, tuple(names)), embeddings.astype(np.float32))


def test_a_card_takes_its_thresholds_unchanged_from_the_largest_set() -> None:
    small, large = _measured("small", 10), _measured("large", 60)

    thresholds = [Threshold(**entry) for entry in tomllib.loads(card_thresholds([small, large]))["thresholds"]]

    assert [threshold.fmr for threshold in thresholds] == [1e-2, 1e-3]
    for threshold in thresholds:
        distance, true_matches = large.at[threshold.fmr]
        assert threshold.false_match_rates["large"] == pytest.approx(threshold.fmr, rel=0.1)
        assert threshold.false_match_rates["small"] == pytest.approx(small.false_match_rate(distance.value), abs=1e-5)
        assert threshold.data == "large, all pairs of 240 pictures: 360 genuine, 28,320 impostor"
        assert abs(threshold.distance - distance.value) <= 0.0005
        assert abs(threshold.true_match_rate - true_matches.value) <= 0.0005
        assert distance.interval[0] <= distance.value <= distance.interval[1]


def test_a_rate_from_fewer_than_ten_pairs_is_marked() -> None:
    """40 pictures of 10 people make 720 impostor pairs; a rate of 1e-2 stands for seven of them."""
    small = _measured("small", 10)

    text = markdown("a-pack", "a command", [small], None, None)

    assert not small.supports(1e-2)
    assert re.search(r"\| true matches at FMR 1e-2 \| [0-9.]+ % \([^|]*\) \* \|", text)
    assert "fewer than 10 pairs of different people" in text


def test_no_impostor_passes_below_the_nearest_impostor_pair() -> None:
    """Of 720 pairs of different people, none may pass at a rate of 1e-4."""
    small = _measured("small", 10)

    threshold, true_matches = small.at[1e-4]

    assert small.false_match_rate(threshold.value) == 0
    assert small.false_match_rate(np.nextafter(threshold.value, 9)) > 0
    assert true_matches.value > 0


def test_a_set_without_pairs_is_refused() -> None:
    alone = LabelledSet("alone", (Path("1.jpg"), Path("2.jpg")), ("a", "a"))

    with pytest.raises(LabelsError, match="it has 1 pairs of one person and 0 of different people"):
        measure(alone, np.zeros((2, 3), np.float32))


def test_the_recommended_packs_card_equals_the_published_report() -> None:
    report = (CARDS.parents[1] / "docs" / "accuracy.md").read_text()
    thresholds, recognisability = (tomllib.loads(part.partition("```")[0]) for part in report.split("```toml\n")[1:3])
    card = tomllib.loads((CARDS / "retail-0095.toml").read_text())

    assert card["thresholds"] == thresholds["thresholds"]
    assert card["recognisability"] == recognisability["recognisability"]


@needs_retail
def test_the_published_report_describes_the_recommended_pack() -> None:
    assert retail_pack().embedding_id in (CARDS.parents[1] / "docs" / "accuracy.md").read_text()
