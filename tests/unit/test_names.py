"""A name has one spelling, whichever system wrote it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.names import MAX_NAME_CHARACTERS, MAX_SENT_CHARACTERS, kept, normalized
from chalicelib.stores.face_set.folded_name import fold

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(name=names)
def test_every_spelling_gives_the_same_name(name: str) -> None:
    spellings = {normalized(unicodedata.normalize(form, name)) for form in ("NFC", "NFD")}

    assert spellings == {normalized(name)}
    assert normalized(normalized(name)) == normalized(name)


@given(name=names)
def test_case_and_spelling_do_not_matter_to_a_folded_name(name: str) -> None:
    assert fold(normalized(name)) == fold(normalized(name.casefold()))


def test_every_character_folds_to_one_case() -> None:
    for point in {*range(0x110000)} - {*range(0xD800, 0xE000)}:
        for cased in {chr(point).upper(), chr(point).lower()}:
            if cased.casefold() == chr(point).casefold():
                assert fold(normalized(cased)) == fold(normalized(chr(point))), hex(point)


def test_no_character_decomposes_into_more_than_the_bound_assumes() -> None:
    longest = max(len(unicodedata.normalize("NFD", chr(point))) for point in range(0x110000))

    assert longest * MAX_NAME_CHARACTERS == MAX_SENT_CHARACTERS


@pytest.mark.parametrize("name", ["", " ", "\t\r\n", "\N{NO-BREAK SPACE}", "\N{IDEOGRAPHIC SPACE}" * 255])
def test_a_name_of_white_space_is_empty(name: str) -> None:
    assert (normalized(name), kept(name)) == ("", "unknown")


@given(name=st.text(st.characters(exclude_categories=["Cs"]), max_size=255))
def test_a_name_from_an_earlier_version_always_fits(name: str) -> None:
    assert 0 < len(kept(name)) <= MAX_NAME_CHARACTERS


def test_an_earlier_name_that_would_become_too_long_is_kept() -> None:
    name = "\N{DEVANAGARI LETTER QA}" * 200

    assert kept(name) == name
    assert kept(name[:100]) == unicodedata.normalize("NFC", name[:100]) != name[:100]
