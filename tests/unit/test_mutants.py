"""The deliberate faults of tests/harness/mutants fit the code as it is now."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.harness.mutants.fault import ROOT, Fault, read
from tests.long_tests import is_long

FAULTS = read()
LEAST_FAULTS = 48
# Every fault belongs to the longest of these paths that its file begins with.
PLACES = (
    "app.py",
    "chalicelib/api",
    "chalicelib/api/openapi",
    "chalicelib/api/page",
    "chalicelib/service",
    "chalicelib/maintenance",
    "chalicelib/maintenance/transfer",
    "chalicelib/gallery",
    "chalicelib/vision",
    "chalicelib/images",
    "chalicelib/incoming",
    "chalicelib/identity",
    "chalicelib/release",
    "chalicelib/telemetry",
    "chalicelib/stores/database",
    "chalicelib/stores/face_set",
    "chalicelib/stores/aws",
    "chalicelib/wiring.py",
    "chalicelib/deadline.py",
    "chalicelib/settings.py",
    "chalicelib/names.py",
    "infra/local",
    "infra/deploy",
    "infra/deploy/template",
    "infra/deploy/layers",
    "infra/cli",
    "infra/s3_vectors",
    "models",
)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_a_fault_changes_one_place_and_has_tests(fault: Fault) -> None:
    assert fault.occurrences(ROOT) == 1
    assert fault.replace != fault.find
    assert fault.breaks.endswith(".")
    assert fault.tests
    assert not all(map(is_long, fault.tests))  # `make test` leaves those out
    for test in fault.tests:
        file, *names = test.partition("[")[0].split("::")
        assert (ROOT / file).exists()
        # A class may inherit its tests from a module beside it.
        beside = "".join(path.read_text("utf-8") for path in (ROOT / file).parent.glob("*.py"))
        assert all(name in beside for name in names)


def test_ids_are_unique() -> None:
    assert [name for name, count in Counter(fault.id for fault in FAULTS).items() if count > 1] == []


def test_there_are_faults_in_every_place() -> None:
    places = {max((place for place in PLACES if _is_in(fault.file, place)), key=len) for fault in FAULTS}

    assert len(FAULTS) >= LEAST_FAULTS
    assert sorted(set(PLACES) - places) == []


def _is_in(file: str, place: str) -> bool:
    return file == place or file.startswith(f"{place}/")
