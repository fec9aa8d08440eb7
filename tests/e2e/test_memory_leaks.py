"""`python -m tests.harness.load.memory` distinguishes harmless growth from leaks."""

from __future__ import annotations

from random import Random

import pytest

from tests.harness.load.memory import report
from tests.harness.load.process_size import Size


def _samples(rss_growth: float = 0.0, requests_a_file: int = 0, spike: int = 0) -> list[Size]:
    """Return 50 samples around 300 MB: 10 of warm-up, and one with `spike` more open files."""
    random = Random(1)
    samples = []
    for i in range(50):
        rss = 300 * (1 + rss_growth * max(0, i - 10) / 40) + random.uniform(-2, 2) - 50 * (i < 10)
        files = 8 + (i * 100 // requests_a_file if requests_a_file else 0) + (spike if i == 45 else 0)
        samples.append(Size(rss, rss - 50, files, 5, 2))
    return samples


@pytest.mark.parametrize(
    ("samples", "sound"),
    [
        (_samples(), True),
        (_samples(rss_growth=0.03), True),
        (_samples(spike=9), True),
        (_samples(rss_growth=0.08), False),
        (_samples(requests_a_file=1500), False),
    ],
    ids=["flat", "3 %", "a file for a moment", "8 %", "a file every 1,500 requests"],
)
def test_leaks_are_distinguished_from_growth(samples: list[Size], sound: bool) -> None:
    assert report(samples, 10)[1] is sound
