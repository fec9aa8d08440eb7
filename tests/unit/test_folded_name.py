"""A name is found by its prefix: the range of folded names contains all names with that prefix and no others."""

from __future__ import annotations

import pytest

from chalicelib.stores.face_set.folded_name import beginning_with, fold, is_person, without_accents

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
        assert (first <= fold(name) < end) is name.strip().casefold().startswith(prefix.casefold()), name


def test_outer_white_space_and_case_do_not_distinguish_people() -> None:
    assert fold(" Ada\n") == fold("ADA") != fold("A da")
    assert [is_person(fold(name)) for name in ("unknown", " UNKNOWN", "unknown person")] == [False, False, True]


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("Élodie", "elo"),
        ("elodie", "ÉLO"),
        ("Jose\u0301", "é"),
        ("Straße", "ASS"),
        ("Ada Lovelace", "a l"),
        ("각", "각"),
    ],
)
def test_a_part_of_a_name_is_found_without_accents(name: str, part: str) -> None:
    assert without_accents(part) in without_accents(name)


def test_the_longest_folded_name_fits_its_column() -> None:
    longest = max(range(0x110000), key=lambda point: 0 if 0xD800 <= point < 0xE000 else len(fold(chr(point))))

    assert 255 * len(fold(chr(longest))) <= 3060
    assert all(len(without_accents(chr(point))) <= 12 for point in range(0x110000) if not 0xD800 <= point < 0xE000)
