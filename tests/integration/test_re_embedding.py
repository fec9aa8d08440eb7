"""Every face is re-embedded from its crop under another real pack, and then the face set is switched to that pack."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from chalicelib.errors import ServiceError
from chalicelib.faces import KnownFace, new_token
from chalicelib.images import decoding
from chalicelib.maintenance import operations, re_embedding
from chalicelib.service.crop_embedder import CropEmbedder
from chalicelib.stores.aws.crops import Crop
from chalicelib.vision.model_pack import ModelPackError
from tests import pictures, saved_faces
from tests.integration.two_packs import OTHER, RAW, UNIT, Place, Process, build_packs, tokens
from tests.oracle import brute_force
from tests.packs import YUNET, build_with, needs_yunet

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def place(packs: Path, database: object, database_url: str, tokens_table: str, crops_bucket: str) -> Place:
    return Place(packs, database_url, tokens_table, crops_bucket)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(re_embedding, "BATCH_FACES", 4)


def calls(before: int) -> Callable[[], bool]:
    """Return a function that returns True `before` times, then False."""
    counter = itertools.count()
    return lambda: next(counter) < before


def expect_exact(process: Process, faces: list[KnownFace]) -> None:
    """Each search must equal brute force over the vectors of the face set's model."""
    for face in faces[:3]:
        known = process.parts.face_set.get(face.token, process.active)
        assert known is not None
        expected = brute_force(process.parts.face_set, process.active, known.embedding, 100.0, 10_000, face.token)
        assert process.search(face.token) == expected
        assert set(tokens(expected)) == set(tokens(faces)) - {face.token}


class TestOneRun:
    def test_all_faces_are_embedded_and_the_face_set_is_switched(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(70))
        raw, unit = process.embedding_id(RAW), process.embedding_id(UNIT)
        expect_exact(process, faces)
        assert process.active == raw

        report = process.re_embed()

        assert (report.done, report.left, report.lost, report.not_found_again) == (70, 0, [], [])
        assert report.switched
        assert process.active == unit
        expect_exact(process, faces)
        packed = process.parts.segments.read(unit)  # before the switch, so that containers load them quickly
        assert sum(len(segment.ids) // 8 for segment in packed) == 70
        lengths = [np.linalg.norm(row.embedding) for row in vectors(process, unit)]
        np.testing.assert_allclose(lengths, 1.6, rtol=1e-5)  # UNIT's calibration

    def test_the_vectors_are_those_of_the_crops_under_the_new_pack(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(5))

        process.re_embed()

        crops = process.parts.crops.read_many([face.crop for face in faces])
        for face, embedded in zip(faces, CropEmbedder(place.process(UNIT).model).embed(crops), strict=True):
            known = process.parts.face_set.get(face.token, process.active)
            assert known is not None
            assert embedded is not None
            np.testing.assert_array_equal(known.embedding, embedded.embedding)
            assert (known.name, known.crop) == (face.name, face.crop)

    def test_progress_is_reported_after_every_batch(self, place: Place) -> None:
        lines: list[str] = []
        process = place.process()
        process.add(range(10))

        process.re_embed(progress=lines.append)

        assert [line.partition(",")[0] for line in lines] == ["4 of 10 faces", "8 of 10 faces", "10 of 10 faces"]
        assert all("a second" in line and "minutes left" in line for line in lines)

    @on_sqlite
    def test_an_empty_face_set_is_switched_at_once(self, place: Place) -> None:
        process = place.process()

        assert process.re_embed().switched
        assert process.active == process.embedding_id(UNIT)


class TestInterruptions:
    def test_each_run_continues_where_the_last_one_stopped(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(18))

        first = process.re_embed(may_go_on=calls(before=2))
        assert (first.done, first.left, first.switched) == (8, 10, False)
        assert process.active == process.embedding_id(RAW)
        expect_exact(process, faces)

        second = process.re_embed(may_go_on=calls(before=1))
        assert (second.done, second.left, second.switched) == (4, 6, False)

        third = process.re_embed()
        assert (third.done, third.left, third.switched) == (6, 0, True)
        expect_exact(process, faces)

    def test_a_store_fails_in_the_middle(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        process = place.process()
        process.add(range(12))

        def fail_after_a_batch(line: str) -> None:
            monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
            raise ServiceError("1003", 503, line)

        with pytest.raises(ServiceError):
            process.re_embed(progress=fail_after_a_batch)
        monkeypatch.undo()

        report = process.re_embed()
        assert (report.done, report.switched) == (8, True)

    def test_the_function_stops_at_its_time_limit_and_the_next_call_continues(self, place: Place) -> None:
        process = place.process()
        process.add(range(9))
        times = iter([60_000, 40_000, 29_999])
        event: dict[str, Any] = {"pack": UNIT, "leave_behind": False}

        first = operations.re_embed_in_time(process.parts, event, lambda: next(times))
        second = operations.re_embed_in_time(place.process().parts, event, lambda: 900_000)

        assert first == {"done": 8, "left": 1, "not_found_again": [], "lost": [], "switched": False}
        assert second == {"done": 1, "left": 0, "not_found_again": [], "lost": [], "switched": True}

    @on_sqlite
    @pytest.mark.parametrize("event", [{}, {"pack": "../packs/unit"}, {"pack": "none"}])
    def test_the_function_accepts_only_packs_beside_model_dir(self, place: Place, event: dict[str, Any]) -> None:
        with pytest.raises(ModelPackError, match="available: dlib, other-detector, unit"):
            operations.re_embed_in_time(place.process().parts, event, lambda: 900_000)

    def test_switching_back_needs_no_new_work_until_the_old_vectors_are_discarded(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(6))
        process.re_embed(UNIT)

        back = process.re_embed(RAW)
        assert (back.done, back.switched) == (0, True)
        expect_exact(process, faces)

        assert operations.discard(process.parts).startswith("6 vectors of other models were erased")
        again = process.re_embed(UNIT)
        assert (again.done, again.switched) == (6, True)
        expect_exact(process, faces)


class TestWhatHappensMeanwhile:
    def test_faces_that_are_added_and_removed_between_the_batches(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(16))
        crops = itertools.count(100)

        def change(_: str) -> None:
            seed = next(crops)
            if seed < 106:
                faces.extend(process.add(range(seed, seed + 1)))
                process.remove(faces.pop(0).token)

        report = process.re_embed(progress=change)

        assert report.switched
        assert report.lost == []
        expect_exact(process, faces)
        assert len(vectors(process, process.embedding_id(UNIT))) == len(faces)

    def test_a_face_added_just_before_the_switch_is_embedded_too(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = place.process()
        faces = process.add(range(5))
        switch = process.parts.model_change.switch
        late = iter([200, 201])

        def add_then_switch(*arguments: Any) -> bool:
            for seed in itertools.islice(late, 1):
                faces.extend(process.add(range(seed, seed + 1)))
            return switch(*arguments)

        monkeypatch.setattr(process.parts.model_change, "switch", add_then_switch)

        report = process.re_embed()

        assert (report.done, report.left, report.switched) == (7, 0, True)
        expect_exact(process, faces)

    def test_a_face_removed_before_its_crop_is_read_is_not_reported_as_lost(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = place.process()
        faces = process.add(range(6))
        read_many = process.parts.crops.read_many

        def remove_then_read(names: Sequence[str]) -> list[Crop | None]:
            if len(faces) > 4:
                process.remove(faces.pop(0).token)
            return read_many(names)

        monkeypatch.setattr(process.parts.crops, "read_many", remove_then_read)

        report = process.re_embed()

        # Two faces were removed: one of the first batch, which gets no vector, and one that already had its vector.
        assert (report.done, report.lost, report.switched) == (5, [], True)
        expect_exact(process, faces)

    @on_sqlite
    def test_a_removed_face_does_not_prevent_the_switch_when_no_other_is_left(
        self, place: Place, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = place.process()
        [face] = process.add(range(1))
        read_many = process.parts.crops.read_many

        def remove_then_read(names: Sequence[str]) -> list[Crop | None]:
            process.remove(face.token)
            return read_many(names)

        monkeypatch.setattr(process.parts.crops, "read_many", remove_then_read)

        report = process.re_embed()

        assert (report.done, report.lost, report.switched) == (0, [], True)

    def test_two_concurrent_runs_share_the_work(self, place: Place) -> None:
        one, other = place.process(), place.process()
        faces = one.add(range(20))
        reports: list[re_embedding.Report] = []

        def run_the_other_once(_: str) -> None:
            if not reports:
                reports.append(re_embedding.Report())
                reports.append(other.re_embed())

        first = one.re_embed(progress=run_the_other_once)

        assert (first.done, reports[1].done) == (4, 16)
        assert first.switched
        assert reports[1].switched
        expect_exact(one, faces)


class TestCropsThatMakeTrouble:
    def test_a_missing_or_broken_crop_prevents_the_switch(self, place: Place, s3: S3Client) -> None:
        process = place.process()
        faces = process.add(range(6))
        saved_faces.delete_crop(s3, place.crops_bucket, faces[1].crop)
        s3.put_object(Bucket=place.crops_bucket, Key=f"faces/{faces[4].crop}", Body=b"\xff\xd8 no picture")
        s3.put_object(Bucket=place.crops_bucket, Key=f"faces/{faces[5].crop}", Body=b"")
        lost = [faces[1], faces[4], faces[5]]

        report = process.re_embed()

        assert (report.done, report.left, report.switched) == (3, 3, False)
        assert report.lost == sorted(tokens(lost))
        expect_exact(process, faces)

    def test_faces_without_a_crop_may_be_left_behind(self, place: Place, s3: S3Client) -> None:
        process = place.process()
        faces = process.add(range(4))
        saved_faces.delete_crop(s3, place.crops_bucket, faces[3].crop)

        report = process.re_embed(leave_behind=True)

        assert (report.left, report.lost, report.switched) == (1, [faces[3].token], True)
        expect_exact(process, faces[:3])
        with pytest.raises(ServiceError, match="1006"):
            process.search(faces[3].token)
        process.add_token(faces[3].token, "renamed")
        process.remove(faces[3].token)
        assert process.parts.face_set.count() == 3

    def test_a_face_left_behind_is_found_again_once_its_crop_is_restored(self, place: Place, s3: S3Client) -> None:
        process = place.process()
        faces = process.add(range(4))
        jpeg = process.parts.crops.read(faces[3].crop)
        saved_faces.delete_crop(s3, place.crops_bucket, faces[3].crop)
        process.re_embed(leave_behind=True)
        expect_exact(process, faces[:3])
        assert jpeg is not None
        s3.put_object(Bucket=place.crops_bucket, Key=f"faces/{faces[3].crop}", Body=jpeg.jpeg)

        report = process.re_embed()

        assert (report.done, report.switched) == (1, True)
        expect_exact(process, faces)


class TestAnotherDetector:
    @needs_yunet
    def test_yunet_detects_the_faces_that_mtcnn_found(self, place: Place, packs: Path, tmp_path: Path) -> None:
        if not (packs / "dlib-yunet").exists():
            shutil.copytree(build_with("dlib-yunet", tmp_path, detector=YUNET).folder, packs / "dlib-yunet")
        process = place.process()
        faces = process.add(range(9))

        interrupted = process.re_embed("dlib-yunet", may_go_on=calls(1))
        expect_exact(process, faces)  # the old pack answers
        resumed = process.re_embed("dlib-yunet")

        assert (interrupted.switched, resumed.switched) == (False, True)
        assert interrupted.done + resumed.done == 9
        assert interrupted.not_found_again + resumed.not_found_again == []
        assert process.active == process.embedding_id("dlib-yunet")
        expect_exact(process, faces)
        assert process.served == "dlib-yunet"

    def test_another_detector_detects_the_faces_again(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(8))

        report = process.re_embed(OTHER)

        assert (report.done, report.not_found_again, report.switched) == (8, [], True)
        expect_exact(process, faces)

    def test_the_same_detector_does_not_detect_again(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        process = place.process()
        process.add(range(3))
        monkeypatch.setattr("chalicelib.vision.mtcnn.Mtcnn.detect", lambda *_: pytest.fail("detected again"))

        assert process.re_embed(UNIT).switched

    def test_a_face_not_found_again_is_embedded_by_its_old_landmarks_and_reported(self, place: Place) -> None:
        process = place.process()
        faces = process.add(range(3))
        hidden = hidden_face(process)

        report = process.re_embed(OTHER)

        assert (report.done, report.not_found_again, report.switched) == (4, [hidden.token], True)
        expect_exact(process, [*faces, hidden])


def hidden_face(process: Process) -> KnownFace:
    """Add a face whose crop is too dark for any detector."""
    crop = saved_faces.crop(50)
    image = decoding.decode_crop(crop.jpeg)
    assert image is not None
    dark = crop._replace(jpeg=pictures.jpeg((image // 16).astype(np.uint8)))
    [embedded] = CropEmbedder(process.model).embed([dark])
    assert embedded is not None
    name = saved_faces.keep(process.parts.crops, dark)
    face = KnownFace(new_token(), "hidden", embedded.embedding, process.model.embedding_id, name)
    process.parts.face_set.add(face)
    return face


def vectors(process: Process, embedding_id: str) -> list[Any]:
    return [row for row in process.parts.face_set.vectors(0, 2**62) if row.embedding_id == embedding_id]


def test_an_answer_with_too_many_tokens_is_shortened_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(operations, "MAX_LISTED", 2)

    assert operations.listed(["a", "b"]) == ["a", "b"]
    assert caplog.text == ""
    assert operations.listed(["a", "b", "c"]) == ["a", "b"]
    assert "the first 2 of 3 tokens" in caplog.text
