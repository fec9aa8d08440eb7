"""Reconciling deletes only orphaned crops, which no row will ever name."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from chalicelib.errors import ServiceError
from chalicelib.maintenance import operations, orphaned_crops
from chalicelib.maintenance.orphaned_crops import SAFE_AGE_SECONDS, Reconciliation, Report
from chalicelib.settings import Settings
from chalicelib.stores.aws import crops as crops_module
from chalicelib.stores.aws.crops import Crop, CropStore
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set import referenced_crops
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.referenced_crops import ReferencedCrops
from chalicelib.telemetry import metrics
from chalicelib.telemetry.metrics import Metric
from chalicelib.wiring import Wiring
from tests.examples import EMBEDDING_ID, known_face

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.fixture
def crops(s3: S3Client, crops_bucket: str) -> CropStore:
    return CropStore(s3, crops_bucket)


@pytest.fixture
def face_set(database: Database) -> FaceSet:
    return FaceSet(database)


def stored(crops: CropStore) -> str:
    """Store a permanent crop and return its name."""
    temporary = Crop(f"{uuid4()}.jpg", b"jpeg", None)
    crops.save_temporary([temporary])
    name = crops.keep(temporary.name)
    assert name is not None
    return name


def added(crops: CropStore, face_set: FaceSet, count: int) -> dict[str, str]:
    """Add faces and return the names of their crops by token."""
    faces = [known_face()._replace(crop=stored(crops)) for _ in range(count)]
    face_set.add_many(faces)
    return {face.token: face.crop for face in faces}


def names(crops: CropStore) -> set[str]:
    return {crop.name for page in crops.permanent("") for crop in page}


def later() -> float:
    """Return a time at which every crop stored so far counts as old."""
    return time.time() + SAFE_AGE_SECONDS + 2


def reconcile(
    database: Database,
    crops: CropStore,
    *,
    clock: Callable[[], float] = later,
    may_go_on: Callable[[], bool] = lambda: True,
    however_many: bool = False,
) -> Report:
    return Reconciliation(
        ReferencedCrops(database), crops, clock=clock, may_go_on=may_go_on, however_many=however_many
    ).run()


@pytest.fixture
def small_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crops_module, "CROPS_PER_PAGE", 2)
    monkeypatch.setattr(referenced_crops, "IDS_PER_RANGE", 7)
    monkeypatch.setattr(referenced_crops, "MAX_IDS_PER_STATEMENT", 2)
    monkeypatch.setattr(orphaned_crops, "MAX_DELETIONS_PER_REQUEST", 3)


@pytest.mark.usefixtures("small_portions")
def test_orphans_are_deleted_and_all_other_crops_stay(database: Database, crops: CropStore, face_set: FaceSet) -> None:
    kept = set(added(crops, face_set, 60).values())
    orphans = {stored(crops) for _ in range(40)}

    report = reconcile(database, crops)

    assert names(crops) == kept
    assert report == Report(crops=100, orphans=len(orphans), deleted=len(orphans), missing=0)
    assert reconcile(database, crops) == Report(crops=60, missing=0)


def test_a_young_crop_is_kept(database: Database, crops: CropStore) -> None:
    """Its addition may have stored the crop but not yet the row."""
    name = stored(crops)

    assert reconcile(database, crops, clock=time.time) == Report(crops=1, young=1, missing=0)
    assert reconcile(database, crops, clock=lambda: time.time() + SAFE_AGE_SECONDS - 60).young == 1
    assert names(crops) == {name}


@pytest.mark.usefixtures("small_portions")
def test_rows_without_a_crop_are_counted_and_stay(database: Database, crops: CropStore, face_set: FaceSet) -> None:
    faces = added(crops, face_set, 9)
    for crop in list(faces.values())[:5]:
        crops.delete(crop)

    assert reconcile(database, crops) == Report(crops=4, missing=5)
    assert face_set.count() == 9


def test_a_face_removed_meanwhile_does_not_count_as_missing_its_crop(
    database: Database, crops: CropStore, face_set: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(token, crop)] = added(crops, face_set, 1).items()
    listing = crops.permanent

    def remove_first(beginning: str) -> object:
        if face_set.remove(token):
            crops.delete(crop)
        return listing(beginning)

    monkeypatch.setattr(crops, "permanent", remove_first)

    assert reconcile(database, crops).missing == 0


def test_temporary_crops_are_left_to_expire(database: Database, crops: CropStore) -> None:
    temporary = Crop(f"{uuid4()}.jpg", b"jpeg", None)
    crops.save_temporary([temporary])

    assert reconcile(database, crops).crops == 0
    assert crops.read_temporary([temporary.name]) != [None]


@pytest.mark.usefixtures("small_portions")
def test_another_face_sets_bucket_is_not_emptied(
    database: Database,
    crops: CropStore,
    face_set: FaceSet,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(orphaned_crops, "CREDIBLE_NUMBER", 3)
    added(crops, face_set, 1)
    for _ in range(4):
        stored(crops)
    before = names(crops)

    report = reconcile(database, crops)

    assert (report.credible, report.deleted, names(crops)) == (False, 0, before)
    assert "check that this is the face set's bucket" in caplog.text
    assert reconcile(database, crops, however_many=True).deleted == 4


@pytest.mark.parametrize("allowed", range(12))
@pytest.mark.usefixtures("small_portions")
def test_a_run_stopped_anywhere_loses_nothing(
    database: Database, crops: CropStore, face_set: FaceSet, allowed: int
) -> None:
    kept = set(added(crops, face_set, 8).values())
    for _ in range(8):
        stored(crops)
    left = iter(range(allowed))
    lock = threading.Lock()

    def may_go_on() -> bool:
        with lock:
            return next(left, None) is not None

    report = reconcile(database, crops, may_go_on=may_go_on)

    assert not report.complete
    assert kept <= names(crops)
    assert reconcile(database, crops).complete
    assert names(crops) == kept


def test_orphans_beyond_the_limit_of_one_run_are_left_to_the_next(
    database: Database, crops: CropStore, face_set: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orphaned_crops, "MAX_DELETIONS", 16)  # one for each hexadecimal digit
    kept = set(added(crops, face_set, 1).values())
    for _ in range(40):
        stored(crops)

    left, runs = 40, 0
    while left:
        report = reconcile(database, crops)
        assert (report.orphans, report.failed) == (left, 0)
        assert 0 < report.deleted <= 16
        left -= report.deleted
        runs += 1
    assert runs > 2
    assert names(crops) == kept


@pytest.mark.usefixtures("small_portions")
def test_all_orphans_count_for_the_credibility_check(
    database: Database, crops: CropStore, face_set: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The deletion limit of a run must not hide the number of orphans, even if it is below the credible number."""
    monkeypatch.setattr(orphaned_crops, "MAX_DELETIONS", 16)
    monkeypatch.setattr(orphaned_crops, "CREDIBLE_NUMBER", 20)
    added(crops, face_set, 5)
    for _ in range(40):
        stored(crops)
    before = names(crops)

    report = reconcile(database, crops)

    assert (report.orphans, report.credible, report.deleted, names(crops)) == (40, False, 0, before)


@pytest.mark.parametrize("count", [1, 3])
def test_nothing_is_deleted_if_there_are_no_rows(
    database: Database, crops: CropStore, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    """An empty database proves nothing about crops, however few there are."""
    before = {stored(crops) for _ in range(count)}

    report = reconcile(database, crops)

    assert (report.orphans, report.credible, report.deleted, names(crops)) == (count, False, 0, before)
    assert "check that this is the face set's bucket" in caplog.text


def test_nothing_is_deleted_in_another_face_sets_bucket(
    database: Database, crops: CropStore, face_set: FaceSet
) -> None:
    """Rows with crops elsewhere prove nothing about these crops either."""
    face_set.add_many([known_face()._replace(crop=f"{uuid4()}.jpg") for _ in range(3)])
    before = {stored(crops)}

    report = reconcile(database, crops)

    assert (report.credible, report.missing, names(crops)) == (False, 3, before)


def test_a_crop_that_s3_does_not_delete_is_counted(
    database: Database,
    crops: CropStore,
    face_set: FaceSet,
    s3: S3Client,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The reply is simulated, because moto never refuses single keys of a request."""
    added(crops, face_set, 1)
    name = stored(crops)
    error = {"Key": f"faces/{name}", "Code": "AccessDenied", "Message": "Access Denied"}
    monkeypatch.setattr(s3, "delete_objects", lambda **_: {"Errors": [error]})

    report = reconcile(database, crops)

    assert (report.orphans, report.deleted, report.failed) == (1, 0, 1)
    assert [record.getMessage() for record in caplog.records if record.name.startswith("chalicelib")] == [
        "1 objects could not be deleted: AccessDenied"
    ]


def test_a_missing_bucket_is_an_error(database: Database, s3: S3Client) -> None:
    with pytest.raises(ServiceError):
        reconcile(database, CropStore(s3, "no-such-bucket"))


@pytest.mark.usefixtures("patient")
def test_additions_and_removals_continue_during_reconciliation(
    database: Database, crops: CropStore, face_set: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Additions pause for half a second between crop and row. Crops older than every addition count as old."""
    monkeypatch.setattr(orphaned_crops, "CREDIBLE_NUMBER", 1_000_000)
    done = threading.Event()
    begun = [time.time()] * 6
    kept: set[str] = set()

    def work(number: int) -> None:
        rounds = 0
        while not done.is_set():
            rounds += 1
            begun[number] = time.time()
            face = known_face()._replace(crop=stored(crops))
            time.sleep(0.5 if number % 2 else 0.01)
            face_set.add(face)
            if rounds % 3 == 0:
                kept.add(face.crop)
                continue
            face_set.remove(face.token)
            if rounds % 3 == 1:  # otherwise the removal failed before its last step
                crops.delete(face.crop)

    def safe_age_later() -> float:
        """Return a safe time, however slow the machine is. S3 has times in whole seconds."""
        return min(begun) - 1 + SAFE_AGE_SECONDS

    with ThreadPoolExecutor(6) as executor:
        workers = [executor.submit(work, number) for number in range(6)]
        end = time.monotonic() + 5
        deleted = 0
        try:
            while (time.monotonic() < end or deleted == 0) and not any(worker.done() for worker in workers):
                report = reconcile(database, crops, clock=safe_age_later)
                deleted += report.deleted
                assert report.missing == 0
        finally:
            done.set()
        for worker in workers:
            worker.result()

    assert deleted > 0
    assert kept <= names(crops)
    reconcile(database, crops)
    assert names(crops) == kept


def test_a_run_that_refuses_or_does_not_finish_is_counted_as_skipped(
    database_url: str, crops: CropStore, face_set: FaceSet
) -> None:
    parts = Wiring(Settings.from_environment({"DATABASE_URL": database_url, "GALLERY": "memory"}))
    parts._crops = crops
    taken: list[metrics.Measures] = []

    def run(*, in_time: bool = True) -> None:
        with metrics.collecting() as measured:
            operations.reconcile(parts, may_go_on=lambda: in_time)
        taken.append(measured)

    added(crops, face_set, 1)
    run()
    run(in_time=False)
    face_set.remove_many([row.token for row in face_set.fetch([1], EMBEDDING_ID)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(orphaned_crops, "SAFE_AGE_SECONDS", -60)
        run()

    assert taken == [[], [(Metric.SKIPPED, 1)], [(Metric.SKIPPED, 1)]]
