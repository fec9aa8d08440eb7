"""A name is found by its prefix: the range of folded names contains all names with that prefix and no others."""

from __future__ import annotations

import pytest

from chalicelib.stores.face_set.folded_name import beginning_with, fold

NAMES = (
    "Ada",
    "ADA",
    "ada lovelace",
    "ad",
    "adb",
    "Ae",
    "STRASSE",
    "straße",
    "\N{ROCKET}",
    "ada\n",
    "ada\U0010ffff",
    "éa",
)


@pytest.mark.parametrize("prefix", ["a", "ADA", "ada ", "ada\n", "strass", "Straß", "\N{ROCKET}", "é", "ada\U0010ffff"])
def test_the_range_of_a_prefix(prefix: str) -> None:
    first, end = beginning_with(prefix)

    for name in NAMES:
        assert (first <= fold(name) < end) is name.casefold().startswith(prefix.casefold()), name


def test_the_longest_folded_name_fits_its_column() -> None:
    longest = max(range(0x110000), key=lambda point: 0 if 0xD800 <= point < 0xE000 else len(fold(chr(point))))

    assert 255 * len(fold(chr(longest))) <= 3060
