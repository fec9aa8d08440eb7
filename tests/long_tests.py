"""The tests that `make test` leaves out and `make test-all` runs, with the tests that guard the same.

Two kinds: tests that take long, and the whole contract over a carrier that a few tests distinguish from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        "test_a_persons_name_may_have_any_characters",
        "test_renaming_and_merging_by_query_or_form",
        "test_each_person_comes_once_with_the_nearest_face",
        "test_everyone_in_a_picture_is_named",
        "test_an_addition_lists_people_who_look_alike",
        "test_two_pictures_of_the_most_bytes",
        "test_every_body_and_the_query_can_name_them",
        "test_a_thousand_tokens",
        "test_a_face_by_base64_from_its_detection_to_its_removal",
        "test_two_pictures_of_the_most_bytes_in_base64",
        "test_json_that_is_refused",
        "test_text_that_is_not_utf_8",
        "test_head_answers_as_get_without_the_body",
        "test_a_path_may_be_escaped",
        "test_a_form_value_that_is_not_utf_8",
        "test_a_form_that_is_cut_off",
        "test_a_wrong_content_type",
        "test_a_wrong_method",
        "test_1007",
    }
)

# A pattern of test ids: why it is left out, and what guards the same in every run.
LONG = {
    "tests/image/test_docker.py::*": (
        "minutes, and needs Docker; image/test_local.py and lambda_runtime/test_image.py run the images' files"
    ),
    "tests/e2e/test_re_embed.py::test_killed_and_run_again_while_clients_work*": (
        "a minute; integration/test_re_embedding.py stops and repeats a run at every step"
    ),
    "tests/e2e/test_restored_stack.py::*": "a minute; e2e/test_local_stack.py starts a killed stack again",
    "tests/e2e/test_local_stack.py::TestEnds::test_a_stop_during_requests_is_clean[[]numbers[12]]": (
        "other orders of signals; one order stays"
    ),
    "tests/e2e/test_local_stack.py::TestRefusals::test_a_database_url_without_a_database[[]mysql*": (
        "unit/test_database_url.py has every address; one start stays"
    ),
    "tests/e2e/test_local_stack.py::TestEnds::test_a_signal_stops_everything[[]1]": "Ctrl-C and TERM stay",
    "tests/e2e/test_re_embed.py::TestAlone::test_discard_removes_the_old_vectors*": (
        "integration/test_re_embedding.py discards vectors"
    ),
    "tests/e2e/test_re_embed.py::TestAlone::test_a_stack_without_the_face_sets_pack_reports_it*": (
        "integration/test_serving.py has a face set under an unknown model"
    ),
    "tests/e2e/test_packs.py::*[[]sface-yunet*": "other packs of the same parts stay",
    "tests/e2e/test_packs.py::test_a_picture_without_a_face_has_no_faces*": "the walk with each pack stays",
    "tests/integration/test_stress.py::test_deliberate_faults_are_found*": "it tests the harness, not the service",
    "tests/integration/test_stress.py::test_a_vector_index_whose_requests_fail*": (
        "integration/test_vector_gallery_races.py and test_index_reconciliation.py fail its requests one by one"
    ),
    "tests/specification/test_fuzz.py::test_schemathesis_finds_no_deviation*": (
        "`make fuzz`; specification/test_document.py, and every end-to-end reply is checked against the document"
    ),
    "tests/browser/test_find.py::*[[]phone*": "the same journeys on a desktop stay; test_page.py looks at the layout",
    "tests/browser/test_addresses.py::*[[]phone*": "the same journeys on a desktop stay, and test_people.py on a phone",
    "tests/browser/test_removals.py::*[[]phone*": "the same journeys on a desktop stay, and test_people.py on a phone",
    "tests/browser/test_recovery.py::*[[]phone*": "the same journeys on a desktop stay, and test_people.py on a phone",
    "tests/browser/test_bulk_review.py::TestGroups::test_more_faces_than_the_service_groups": (
        "a thousand thumbnails; the service refuses as many tokens in e2e/grouped.py"
    ),
    "tests/deploy/test_refusals.py::test_credentials_and_region_are_checked_first[[]environment[15]*": (
        "one case each of credentials, profile and region stays"
    ),
    "tests/unit/test_cost_against_size.py::test_pictures[[]restarts]": "unit/test_jpeg_flaws.py reads the same markers",
    "tests/unit/test_cost_against_size.py::test_pictures[[]gaps]": "unit/test_jpeg_flaws.py reads the same markers",
    "tests/vision/test_yunet_pictures.py::TestRealPictures::test_one_face_is_found_in_every_portrait*": (
        "the group photographs stay"
    ),
    "tests/vision/test_yunet_pictures.py::TestRealPictures::test_faces_are_found_from_30_px_up*": (
        "the small face in the largest picture stays"
    ),
    "tests/vision/test_yunet_pictures.py::TestRealPictures::test_the_largest_picture_needs_little_memory*": (
        "lambda_runtime/test_endpoints.py bounds a container's memory"
    ),
    **{
        f"tests/browser/{file}.py::*[[]phone]": "the same journeys on a desktop stay; others look at a phone's layout"
        for file in ("test_bulk", "test_compare", "test_face_sets", "test_sources", "test_welcome")
    },
    "tests/browser/test_naming.py::TestNaming::*[[]phone]": "the same on a desktop stays, and the chips on a phone",
    "tests/e2e/test_load.py::*": "it tests the load test; e2e/test_errors.py has 64 clients at once",
    "tests/integration/test_stress.py::test_killed_processes_and_rollbacks_lose_and_invent_nothing[[]mysql]": (
        "the run with segments in S3 kills writers of MySQL too"
    ),
    "tests/integration/test_stress.py::test_segments_in_s3_lose_and_keep_nothing[[]sqlite]": (
        "MySQL stays; integration/test_segment_objects.py kills a compaction at each step on both"
    ),
    "tests/integration/test_stress.py::test_a_gallery_that_follows_ids_is_found_to_lose_faces*": (
        "it tests the harness, not the service"
    ),
    "tests/integration/test_reconciliation.py::test_additions_and_removals_continue_during_reconciliation[[]sqlite]": (
        "the same on MySQL stays"
    ),
    "tests/cli/test_import.py::test_an_interrupted_or_killed_import_continues_and_adds_no_face_twice[[]9]": (
        "an interrupted import stays; integration tests kill the service's own steps"
    ),
    "tests/deploy/test_quotas.py::test_a_new_account_is_refused_before_anything_is_created[[]arguments0]": (
        "the deployment itself stays"
    ),
    "tests/integration/test_serving.py::test_requests_stay_correct_while_the_model_is_switched*": (
        "integration/test_model_change.py has every step of a switch"
    ),
    "tests/layers/test_build.py::test_the_arm64_layers_fit_lambdas_limit": (
        "`make layers` itself stops at the limit; the layers of this machine's kind stay"
    ),
}


def is_long(node_id: str) -> bool:
    return any(fnmatchcase(node_id, pattern) for pattern in LONG)


def unused(node_ids: Sequence[str]) -> list[str]:
    """Return the patterns that match none of these tests, such as one of a test that has parameters now."""
    return [pattern for pattern in LONG if not any(fnmatchcase(node_id, pattern) for node_id in node_ids)]


def mark(items: list[pytest.Item]) -> None:
    """Mark the tests that `make test` leaves out as `long`."""
    for item in items:
        smoke_only = getattr(getattr(item, "cls", None), "smoke_only", False)
        name = getattr(item, "originalname", item.name)
        if is_long(item.nodeid) or (smoke_only and name not in SMOKE):
            item.add_marker(pytest.mark.long)
