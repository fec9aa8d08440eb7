"""Every hostile picture gives a right answer or an error of the contract, and none costs much memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.hostile.pictures import real_pictures
from tests.harness.hostile.pictures.decoder import decoder
from tests.harness.hostile.pictures.giants import GIANTS
from tests.harness.hostile.pictures.judge import KINDS, case, judge_all
from tests.pictures import astronaut, cat, jpeg, png

SEED = 20261126
COUNT = 12 * len(KINDS)
# The largest picture is 50 MB, the coefficients of a progressive one in CMYK are 134 MB.
MAX_GROWTH_BYTES = 256 * 1024 * 1024


@pytest.mark.filterwarnings("ignore")  # Pillow's, of what it reads
def test_every_picture_gives_a_right_answer_or_an_error_within_bounded_memory() -> None:
    cases = ((str(number), case(SEED, number)) for number in range(COUNT))
    giants = ((make.__name__, make()) for make in GIANTS)

    with decoder() as process:
        tally, large = judge_all(cases, process), judge_all(giants, process)
        growth = process.growth_bytes()

    assert [fault[:2] for fault in (*tally.faults, *large.faults)] == []
    assert tally.taken.total() + tally.refused.total() == COUNT
    assert large.taken.total() + large.refused.total() == len(GIANTS)
    # What is measured there is measured.
    assert 100 * 1024 * 1024 < growth < MAX_GROWTH_BYTES


def test_real_pictures_have_opencvs_pixels(tmp_path: Path) -> None:
    for name, file in {"a.jpg": jpeg(astronaut()), "b.png": png(cat()), "c.jpg": jpeg(cat())[:-500]}.items():
        (tmp_path / name).write_bytes(file)

    found = real_pictures.compare(sorted(tmp_path.iterdir()))

    assert found.taken == 2
    assert found.refused == [(tmp_path / "c.jpg", "the picture is broken or cut off")]
    assert found.other_pixels == []
