"""Every export imports. Every broken archive is refused with one sentence and changes nothing."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.images import decoding
from chalicelib.maintenance.transfer import commands
from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.names import kept
from chalicelib.service.crop_embedder import CropEmbedder
from chalicelib.stores.face_set.exported_faces import LARGEST_ID, ExportedFaces
from infra.local.archive_file import Folder, Zip, open_archive
from tests.integration.transfer import damage
from tests.integration.transfer.archives import everything
from tests.integration.transfer.conftest import Sites
from tests.integration.transfer.damage import Files
from tests.integration.two_packs import Process

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# Fixtures are created once for all examples, because each example restores the target.
examples = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


class Target:
    """A service with an empty face set."""

    def __init__(self, process: Process, s3: S3Client, bucket: str, folder: Path) -> None:
        self._process = process
        self._s3 = s3
        self._bucket = bucket
        self._folder = folder
        self._before = self._state()

    def take(self, archive: bytes | Files) -> str:
        """Import an archive and return the reason of a refusal, or "". Check that all or nothing of it was imported."""
        try:
            commands.import_from(self._process.parts, self._opened(archive))
        except ArchiveError as error:
            said = str(error)
        else:
            said = ""
        if said:
            assert re.fullmatch(r"[^\n]{10,400}", said), said
            assert self._state() == self._before
            return said
        self._see_that_all_can_be_embedded()
        self._empty()
        return ""

    def _opened(self, archive: bytes | Files) -> Folder | Zip:
        if isinstance(archive, bytes):
            (self._folder / "archive.zip").write_bytes(archive)
            return open_archive(self._folder / "archive.zip")
        folder = Folder(self._folder / "archive")
        for name, data in archive.items():
            folder.write(name, data)
        return folder

    def _see_that_all_can_be_embedded(self) -> None:
        known = ExportedFaces(self._process.parts.database).page(self._process.active, 0, LARGEST_ID, 1000)
        crops = self._process.parts.crops.read_many([face.crop for face in known])
        assert len(known) == self._process.parts.face_set.count()
        assert all(crop is not None and decoding.decode_crop(crop.jpeg) is not None for crop in crops)
        CropEmbedder(self._process.model).embed(crops)

    def _empty(self) -> None:
        for face in ExportedFaces(self._process.parts.database).page(self._process.active, 0, LARGEST_ID, 1000):
            self._process.remove(face.token)
        self._before = self._state()

    def _state(self) -> tuple[object, ...]:
        """Return everything that an import could change."""
        listed = self._s3.list_objects_v2(Bucket=self._bucket, Prefix="faces/").get("Contents", [])
        sets = self._process.parts.face_set_names.all()
        return self._process.parts.face_set.state(), sets, sorted(item["Key"] for item in listed)


@pytest.fixture
def files(site: Sites, folder: Folder, small_parts: None) -> Files:
    process = site("source")
    faces = process.add(range(3))
    commands.export_to(process.parts, folder)
    for face in faces:
        process.remove(face.token)
    return {path.name: path.read_bytes() for path in folder.path.iterdir()}


@pytest.fixture
def target(site: Sites, files: Files, s3: S3Client, crops_bucket: str, tmp_path: Path) -> Target:
    (tmp_path / "target").mkdir()
    return Target(site("target"), s3, crops_bucket, tmp_path / "target")


class TestBroken:
    @pytest.mark.parametrize("layer", ["manifest", "line", "crop", "compression", "zip"])
    def test_a_damaged_archive_is_refused_or_imported_completely(
        self, files: Files, target: Target, layer: str
    ) -> None:
        refused = []

        @examples
        @given(archive=getattr(damage, f"damaged_{layer}")(files))
        def take(archive: bytes | Files) -> None:
            refused.append(bool(target.take(archive)))

        take()
        assert sum(refused) > len(refused) / 4

    def test_an_archive_with_a_broken_last_part_changes_nothing(self, files: Files, target: Target) -> None:
        assert "faces-00002.jsonl.gz is damaged" in target.take(files | {"faces-00002.jsonl.gz": b"no gzip"})

    @pytest.mark.parametrize("method", damage.METHODS)
    def test_only_stored_and_deflated_zips_are_accepted(self, files: Files, target: Target, method: int) -> None:
        is_read = method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

        said = target.take(damage.zipped(files, method))

        assert said == ("" if is_read else said)
        assert ("unsupported compression method" in said) != is_read

    @pytest.mark.parametrize("change", ["version", "name", "encrypted", "method"])
    def test_headers_that_zipfile_does_not_expect_are_refused(self, files: Files, target: Target, change: str) -> None:
        data = damage.zipped({**files, "é": b""})
        changed = {
            "version": data.replace(b"PK\x01\x02\x14\x03\x14", b"PK\x01\x02\x14\x03\x63"),
            "name": data.replace("é".encode(), b"\xff\xff"),
            "encrypted": data.replace(b"PK\x01\x02\x14\x03\x14\0\0", b"PK\x01\x02\x14\x03\x14\0\x01"),
            "method": data.replace(b"PK\x01\x02\x14\x03\x14\0\0\0\0", b"PK\x01\x02\x14\x03\x14\0\0\0\x63"),
        }[change]
        assert changed != data

        assert target.take(changed)

    @pytest.mark.parametrize("version", ["Infinity", "1e400", "NaN", "1.0", "true", '"1"', "[1]", "-1", "9" * 4000])
    def test_a_version_that_is_not_a_whole_number_is_refused(self, files: Files, target: Target, version: str) -> None:
        changed = files["manifest.json"].replace(b'"version": 1,', f'"version": {version},'.encode())

        assert target.take(files | {"manifest.json": changed}) == "manifest.json is damaged or not valid"

    def test_landmarks_must_be_numbers(self, files: Files, target: Target) -> None:
        for landmarks in ([["1", "2"]] * 5, [[True, 2]] * 5, [[10**400, 2]] * 5):
            assert "landmarks must be" in target.take(damage.with_record(files, landmarks=landmarks))


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=255)
SETS = st.just("default") | st.from_regex(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}", fullmatch=True)
TIMES = st.integers(-62_135_596_800, 253_402_300_799)


class TestEveryExportImports:
    @pytest.mark.usefixtures("small_parts")
    def test_any_names_times_and_face_sets_are_imported(self, site: Sites, database_url: str, tmp_path: Path) -> None:
        source, target = site(database_url), site("target")
        faces = source.add(range(3))
        number = iter(range(10_000))

        @settings(examples, max_examples=15)
        @given(labels=st.lists(st.tuples(NAMES, SETS, TIMES), min_size=3, max_size=3))
        def round_trip(labels: list[tuple[str, str, int]]) -> None:
            for face in faces:
                source.parts.face_set.remove(face.token)
            named = []
            for face, (name, face_set, _) in zip(faces, labels, strict=True):
                if face_set != "default":
                    source.parts.face_set_names.create(face_set)
                named.append(face._replace(name=kept(name), set_id=source.parts.face_set_names.id_of(face_set)))
            source.parts.face_set.add_many(named, [added_at for *_, added_at in labels])
            folder = Folder(tmp_path / str(next(number)))

            commands.export_to(source.parts, folder)
            report = commands.import_from(target.parts, folder)

            try:
                assert report.added == 3
                assert everything(target) == everything(source)
            finally:
                for face in faces:
                    target.remove(face.token)

        round_trip()

    def test_a_face_that_no_import_would_accept_is_named(
        self, site: Sites, folder: Folder, s3: S3Client, crops_bucket: str
    ) -> None:
        source, target = site("source"), site("target")
        faces = source.add(range(3))
        s3.put_object(Bucket=crops_bucket, Key=f"faces/{faces[0].crop}", Body=b"\xff\xd8\xff overwritten")
        source.parts.database.write(
            lambda transaction: transaction.execute(
                "UPDATE face_set_embedding SET embedding = ? WHERE face_id = 2", (b"\0\0\xc0\x7f" * 128,)
            )
        )

        report = commands.export_to(source.parts, folder)

        assert report.left_out == [faces[0].token, faces[1].token]
        assert commands.import_from(target.parts, folder).added == 1
