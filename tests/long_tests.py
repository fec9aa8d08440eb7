"""The tests that `make test` leaves out and `make test-all` runs, with the tests that guard the same.

Two kinds: tests that take long, and the whole contract over a carrier that a few tests distinguish from the others.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import pytest

# The contract's tests that can come out differently over another carrier: bytes, bodies, sizes, addresses, methods,
# headers. Classes with `smoke_only = True` run just these; tests/e2e/test_lambda_events.py runs all of them on both
# databases, and tests/lambda_runtime all of them in AWS's runtime client.
SMOKE = frozenset(
    {
        "test_a_face_from_its_detection_to_its_removal",
        "test_a_name_comes_back_as_it_was_given_in_nfc",
        "test_people_are_told_apart",
        "test_the_threshold_comes_back_as_it_was_given",
        "test_pages_are_in_the_order_of_the_additions",
        "test_the_fields_of_a_face",
        "test_renaming_by_query_or_form",
        "test_a_token_in_the_address_and_in_the_query",
        "test_deleting",
        "test_adding_and_removing_by_post",
        "test_a_face_is_found_in_its_own_face_set_only",
        "test_each_person_comes_once_with_the_nearest_face",
        "test_two_pictures_of_the_most_bytes",
        "test_head_answers_as_get_without_the_body",
        "test_a_path_may_be_escaped",
        "test_a_form_value_that_is_not_utf_8",
        "test_a_form_that_is_cut_off",
        "test_a_wrong_content_type",
        "test_a_wrong_method",
        "test_1003",
        "test_1007",
    }
)

# A pattern of test ids: why it is left out, and what guards the same in every run.
LONG = {
    "tests/e2e/test_re_embed.py::test_killed_and_run_again_while_clients_work*": (
        "a minute; integration/test_re_embedding.py stops and repeats a run at every step"
    ),
    "tests/e2e/test_restored_stack.py::*": "a minute; test_local_stack.py starts a killed stack again",
}


def mark(items: list[pytest.Item]) -> None:
    """Mark the tests that `make test` leaves out as `long`."""
    unused = set(LONG)
    for item in items:
        patterns = [pattern for pattern in LONG if fnmatchcase(item.nodeid, pattern)]
        unused.difference_update(patterns)
        smoke_only = getattr(getattr(item, "cls", None), "smoke_only", False)
        name = getattr(item, "originalname", item.name)
        if patterns or (smoke_only and name not in SMOKE):
            item.add_marker(pytest.mark.long)
