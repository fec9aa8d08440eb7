"""The paths of incoming pictures: what they ask for, and where their results go."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.api import fields
from chalicelib.errors import ServiceError
from chalicelib.incoming import messages, paths
from chalicelib.incoming.paths import Addition, Identification
from tests.incoming import PRINCIPAL, arrived

FACE_SETS = st.from_regex(fields.NEW_FACE_SET.pattern, fullmatch=True)
# Python's own letters for a path: no slash and no half of a surrogate pair.
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="/\N{REPLACEMENT CHARACTER}")
SEGMENTS = st.text(LETTERS, min_size=1, max_size=40)
NAMES = SEGMENTS.filter(lambda text: text.strip() != "")
REST = st.lists(SEGMENTS, min_size=1, max_size=3).map("/".join)


@given(FACE_SETS, NAMES, REST)
def test_a_path_names_the_face_set_and_the_person(face_set: str, person: str, rest: str) -> None:
    path = f"incoming/add/{face_set}/{person}/{rest}"

    assert paths.asked(path) == Addition(face_set, normalize("NFC", person))
    assert paths.asked(f"incoming/identify/{face_set}/{rest}") == Identification(face_set)


@given(st.text())
def test_every_other_path_is_refused(text: str) -> None:
    for path in (text, f"incoming/{text}", f"incoming/add/{text}", f"incoming/identify/{text}"):
        asked = _asked(path)
        if isinstance(asked, str):
            assert asked in ("1001", "1002")
        else:
            again = f"incoming/{'add' if isinstance(asked, Addition) else 'identify'}/{'/'.join(asked)}"
            assert normalize("NFC", path).startswith(normalize("NFC", again))


def _asked(path: str) -> Addition | Identification | str:
    """Return what a path asks for, or the code of the error."""
    try:
        return paths.asked(path)
    except ServiceError as error:
        return error.code


@given(st.text(), st.text())
def test_each_picture_has_its_own_result(one: str, other: str) -> None:
    results = {paths.result_of(f"incoming/{text}") for text in (one, other)}

    assert len(results) == len({one, other})
    assert all(result.startswith("results/") and not paths.is_picture(result) for result in results)


@pytest.mark.parametrize(
    ("path", "may_be"),
    [
        ("incoming/add/default/Ada/1.jpg", True),
        ("incoming/1.jpg", True),
        ("incoming/add/default/Ada/", False),
        ("results/add/default/Ada/1.jpg.json", False),
        ("1.jpg", False),
        (f"incoming/{'ä' * 505}", True),
        (f"incoming/{'ä' * 505}aa", False),
    ],
    ids=["picture", "wrong path", "folder", "result", "elsewhere", "longest", "too long"],
)
def test_a_picture_has_room_for_its_results_key(path: str, may_be: bool) -> None:
    assert paths.is_picture(path) is may_be
    assert not may_be or len(paths.result_of(path).encode()) <= paths.MAX_KEY_BYTES


@pytest.mark.parametrize("lost", [0xFFFD, 0xDCFF], ids=["by S3", "in a file's name"])
def test_a_name_that_lost_characters_is_refused(lost: int) -> None:
    person = f"{chr(lost)}da"

    with pytest.raises(ServiceError, match="person must be UTF-8 text"):
        paths.asked(f"incoming/add/default/{person}/1.jpg")


@given(st.lists(REST, max_size=3))
def test_messages_give_the_keys_back(rests: list[str]) -> None:
    found = list(messages._arrivals(arrived(*rests)))

    assert found == [messages.Arrival(rest, PRINCIPAL) for rest in rests]
