"""An archive holds the face set whole, whatever happens while it is written or read, and refuses what is not one."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from chalicelib import transfers
from chalicelib.errors import ServiceError
from chalicelib.stores.active_model import NO_MODEL
from chalicelib.stores.crops import Crop
from chalicelib.stores.schema import migrate
from chalicelib.stores.whole_faces import LARGEST_ID, WholeFaces
from chalicelib.transfer import exporting, manifest
from chalicelib.transfer.container import Container
from chalicelib.transfer.errors import ArchiveError
from infra.archive_file import Folder, open_archive, pack
from tests.integration.two_packs import UNIT, Place, Process, build_packs
from tests.pictures import jpeg
from tests.saved_faces import delete_crop, known_faces

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Sites = Callable[[str], Process]


def blank(width: int, height: int) -> bytes:
    return jpeg(np.zeros((height, width, 3), np.uint8))


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def site(packs: Path, tmp_path: Path, tokens_table: str, crops_bucket: str) -> Iterator[Sites]:
    """Return a service by the name of its database, which is a file, or by its URL."""
    processes: list[Process] = []

    def make(database: str) -> Process:
        url = database if ":" in database else f"sqlite:///{tmp_path / database}.sqlite"
        process = Place(packs, url, tokens_table, crops_bucket).process()
        migrate(process.parts.database)
        processes.append(process)
        return process

    yield make
    for process in processes:
        process.parts.close()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a part hold two faces."""
    monkeypatch.setattr(exporting, "MAX_FACES", 2)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "archive")


def everything(process: Process) -> list[tuple[Any, ...]]:
    """Return all that the service knows of its faces, but the names of their crops."""
    known = WholeFaces(process.parts.database).page(process.active, 0, LARGEST_ID, 10_000)
    crops = process.parts.crops.read_many([face.crop for face in known])
    return [
        (
            face.token,
            face.name,
            face.face_set,
            face.added_at,
            None if face.embedding is None else face.embedding.tobytes(),
            *of(crop),
        )
        for face, crop in zip(known, crops, strict=True)
    ]


def of(crop: Crop | None) -> tuple[Any, ...]:
    assert crop is not None
    return crop.jpeg, None if crop.landmarks is None else crop.landmarks.tobytes(), crop.detector_id


def parts_of(container: Container) -> tuple[manifest.Part, ...]:
    whole = manifest.read(container)
    assert whole is not None
    return whole.parts


def records(folder: Folder) -> list[dict[str, Any]]:
    """Return the archive's faces, read without the code that wrote them."""
    whole = json.loads((folder.path / "manifest.json").read_text())
    lines = [
        line
        for part in whole["parts"]
        for line in gzip.decompress((folder.path / part["file"]).read_bytes()).splitlines()
    ]
    return [json.loads(line) for line in lines]


@pytest.mark.usefixtures("small_parts")
class TestRoundTrip:
    @pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
    def test_from_sqlite_to_mysql_and_back_nothing_is_lost_or_changed(
        self, site: Sites, database_url: str, folder: Folder, tmp_path: Path
    ) -> None:
        first, second, third = site("first"), site(database_url), site("third")
        faces = first.add(range(5))
        first.parts.face_set_names.create("staff.2026")
        staff = first.parts.face_set_names.id_of("staff.2026")
        first.parts.face_set.add_many(
            [replace(face, set_id=staff) for face in known_faces(first.parts.crops, first.model, range(5, 7))]
        )
        first.parts.face_set.rename(faces[1].token, "Ада 🙂\nO'Neil")
        first.parts.database.write(
            lambda transaction: transaction.execute("UPDATE face_set SET created_at = 1700000000 + id")
        )
        before = everything(first)
        searches = [first.search(face.token).matches for face in faces]

        transfers.export_to(first.parts, folder)
        zipped = tmp_path / "faces.zip"
        pack(folder.path, ["manifest.json", *(part.file for part in parts_of(folder))], zipped)
        imported = transfers.import_from(second.parts, open_archive(zipped))
        again = Folder(tmp_path / "again")
        transfers.export_to(second.parts, again)
        transfers.import_from(third.parts, again)

        assert (imported.added, imported.there, imported.done) == (7, 0, True)
        assert everything(second) == everything(third) == before
        assert [second.search(face.token).matches for face in faces] == searches
        assert [third.search(face.token).matches for face in faces] == searches
        # The same faces give the same files, byte for byte.
        assert parts_of(again) == parts_of(folder)

    def test_what_is_there_already_stays_as_it_is(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        [one, two, three] = process.add(range(3))
        transfers.export_to(process.parts, folder)
        process.parts.face_set.rename(one.token, "renamed since")
        process.remove(two.token)
        crops = everything(process)

        report = transfers.import_from(process.parts, folder)

        assert (report.added, report.there) == (1, 2)
        after = {row[0]: row for row in everything(process)}
        assert [after[row[0]] for row in crops] == crops
        assert after[two.token][1] == two.name
        assert after.keys() == {one.token, two.token, three.token}

    def test_an_empty_face_set_makes_an_archive_too(self, site: Sites, folder: Folder) -> None:
        assert transfers.export_to(site("first").parts, folder).done
        report = transfers.import_from(site("second").parts, folder)

        assert (report.added, report.done) == (0, True)
        assert site("second").active == NO_MODEL

    def test_the_archive_is_what_its_description_says(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        [face] = process.add(range(1))
        transfers.export_to(process.parts, folder)

        [record] = records(folder)
        crop = process.parts.crops.read(face.crop)
        assert crop is not None
        assert crop.landmarks is not None
        assert base64.b64decode(record["embedding"]) == face.embedding.astype("<f4").tobytes()
        assert base64.b64decode(record["crop"]) == crop.jpeg
        assert record["landmarks"] == [[round(float(x), 2), round(float(y), 2)] for x, y in crop.landmarks]
        assert record["detector_id"] == process.model.detector_id
        assert (record["face_token"], record["face_name"], record["face_set"]) == (face.token, "0", "default")
        assert record["added_at"].endswith("Z")

    def test_the_example_of_the_description_reads_it(
        self, site: Sites, folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        process = site("first")
        process.add(range(3))
        transfers.export_to(process.parts, folder)
        monkeypatch.chdir(folder.path.parent)
        pack(folder.path, ["manifest.json", *(part.file for part in parts_of(folder))], Path("faces.zip"))
        page = (Path(__file__).parents[2] / "docs" / "transfer.md").read_text()
        example = page.partition("```python\n")[2].partition("```")[0]

        exec(compile(example, "transfer.md", "exec"), {})  # noqa: S102

        assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
            [str(number), "(128,)"] for number in range(3)
        ]


@pytest.mark.usefixtures("small_parts")
class TestInterrupted:
    def test_an_export_goes_on_where_it_was_stopped(self, site: Sites, folder: Folder, tmp_path: Path) -> None:
        process = site("first")
        process.add(range(7))
        whole = Folder(tmp_path / "whole")
        transfers.export_to(process.parts, whole)

        written: list[str] = []
        for _ in range(3):
            assert not transfers.export_to(process.parts, Noting(folder, written), may_go_on=times(1)).done
        assert transfers.export_to(process.parts, Noting(folder, written)).done

        assert parts_of(folder) == parts_of(whole)
        parts = [name for name in written if name.startswith("faces-")]
        assert len(parts) == len(set(parts)) == 4
        assert {path.name for path in folder.path.iterdir()} == {"manifest.json", *parts}

    def test_a_failing_store_loses_no_part(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        process.add(range(5))
        failing = FailingOnce(folder, "faces-00002.jsonl.gz")

        with pytest.raises(ServiceError):
            transfers.export_to(process.parts, failing)
        assert transfers.export_to(process.parts, failing).done

        assert len(records(folder)) == 5

    def test_an_import_goes_on_where_it_was_stopped(self, site: Sites, folder: Folder) -> None:
        first, second = site("first"), site("second")
        first.add(range(5))
        transfers.export_to(first.parts, folder)

        stopped = transfers.import_from(second.parts, folder, may_go_on=times(1))
        assert (stopped.added, stopped.next_part, stopped.done) == (2, 2, False)
        assert transfers.import_from(second.parts, folder, may_go_on=times(1)).there == 2
        rest = transfers.import_from(second.parts, folder, first_part=stopped.next_part)

        assert (rest.added, rest.there, rest.done) == (3, 0, True)
        assert everything(second) == everything(first)

    def test_a_finished_export_is_left_as_it_is(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        process.add(range(1))
        transfers.export_to(process.parts, folder)
        before = parts_of(folder)
        process.add(range(1, 2))

        assert transfers.export_to(process.parts, folder).faces == 1
        assert parts_of(folder) == before


@pytest.mark.usefixtures("small_parts")
class TestChangedMeanwhile:
    def test_nobody_who_was_removed_is_in_it(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        faces = process.add(range(6))

        def change(done: int, _: int) -> None:
            if done == 4:  # the first two parts are written
                process.remove(faces[0].token)
                process.remove(faces[2].token)
                process.remove(faces[3].token)
                process.parts.face_set.rename(faces[1].token, "another name")

        transfers.export_to(process.parts, folder, progress=change)

        assert [(record["face_token"], record["face_name"]) for record in records(folder)] == [
            (faces[1].token, "another name"),
            (faces[4].token, "4"),
            (faces[5].token, "5"),
        ]
        # The part of which nobody is left is gone, and so is its file.
        assert sorted(path.name for path in folder.path.iterdir()) == [
            "faces-00001.jsonl.gz",
            "faces-00003.jsonl.gz",
            "manifest.json",
        ]

    def test_whoever_was_removed_between_two_runs_is_not_in_it(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        faces = process.add(range(4))
        transfers.export_to(process.parts, folder, may_go_on=times(2))
        process.remove(faces[1].token)

        transfers.export_to(process.parts, folder)

        assert [record["face_token"] for record in records(folder)] == [faces[i].token for i in (0, 2, 3)]

    def test_a_range_that_got_more_faces_is_divided(
        self, site: Sites, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = site("first")
        faces = process.add(range(7))
        monkeypatch.setattr(exporting, "MAX_FACES", 5)
        transfers.export_to(process.parts, folder, may_go_on=times(1))
        monkeypatch.setattr(exporting, "MAX_FACES", 2)
        process.parts.face_set.rename(faces[0].token, "renamed")

        transfers.export_to(process.parts, folder)

        assert [part.faces for part in parts_of(folder)] == [2, 2, 1, 2]
        assert [record["face_token"] for record in records(folder)] == [face.token for face in faces]

    def test_an_export_begins_anew_under_another_model(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        faces = process.add(range(5))
        transfers.export_to(process.parts, folder, may_go_on=times(2))
        process.re_embed(UNIT)

        def remove_all_but_one(done: int, _: int) -> None:
            if done == 2:
                for face in faces[1:]:
                    process.remove(face.token)

        transfers.export_to(process.parts, folder, progress=remove_all_but_one)

        whole = manifest.read(folder)
        assert whole is not None
        assert whole.embedding_id == process.embedding_id(UNIT)
        assert [record["face_token"] for record in records(folder)] == [faces[0].token]

    def test_a_face_without_its_crop_is_named(
        self, site: Sites, folder: Folder, s3: S3Client, crops_bucket: str
    ) -> None:
        process = site("first")
        faces = process.add(range(3))
        delete_crop(s3, crops_bucket, faces[1].crop)

        report = transfers.export_to(process.parts, folder)

        assert (report.faces, report.left_out) == (2, [faces[1].token])
        # Also to who asks again.
        assert transfers.export_to(process.parts, folder).left_out == [faces[1].token]


@pytest.mark.usefixtures("small_parts")
class TestFunctions:
    def test_invoked_again_and_again_they_end(self, site: Sites, s3: S3Client, crops_bucket: str) -> None:
        first, second = site("first"), site("second")
        first.add(range(5))

        event: dict[str, Any] = {"name": "monday"}
        said = transfers.export_in_time(first.parts, event, seconds(60, 20))
        assert said == {"faces": 4, "left_out": [], "done": False}
        said = transfers.export_in_time(first.parts, event, seconds(900))
        assert said == {"faces": 5, "left_out": [], "done": True}
        keys = {item["Key"] for item in s3.list_objects_v2(Bucket=crops_bucket, Prefix="exports/")["Contents"]}
        assert keys == {"exports/monday/manifest.json", *(f"exports/monday/faces-0000{n}.jsonl.gz" for n in (1, 2, 3))}

        said = transfers.import_in_time(second.parts, event, seconds(60, 30))
        assert said == {"added": 2, "there": 0, "next_part": 2, "done": False}
        said = transfers.import_in_time(second.parts, event | {"first_part": 2}, seconds(900))
        assert said == {"added": 3, "there": 0, "next_part": 4, "done": True}
        assert everything(second) == everything(first)

    @pytest.mark.parametrize("name", [None, 7, "", "..", "a/b", "../faces", ".hidden", "x" * 65])
    def test_a_name_that_leads_elsewhere_is_refused(self, site: Sites, name: object) -> None:
        for operation in (transfers.export_in_time, transfers.import_in_time):
            with pytest.raises(ArchiveError, match="name must be"):
                operation(site("first").parts, {"name": name}, seconds(900))

    @pytest.mark.parametrize("first_part", [0, -1, "2", 1.0, True])
    def test_a_first_part_must_be_a_number(self, site: Sites, first_part: object) -> None:
        with pytest.raises(ArchiveError, match="first_part must be"):
            transfers.import_in_time(site("first").parts, {"name": "a", "first_part": first_part}, seconds(900))

    def test_an_import_of_nothing_says_so(self, site: Sites) -> None:
        with pytest.raises(ArchiveError, match=r"no manifest\.json"):
            transfers.import_in_time(site("first").parts, {"name": "nothing"}, seconds(900))


class TestRefused:
    @pytest.fixture
    def archive(self, site: Sites, folder: Folder) -> Folder:
        process = site("source")
        process.add(range(2))
        transfers.export_to(process.parts, folder)
        return folder

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"face_token": "../../etc/passwd"}, "face_token"),
            ({"face_token": None}, "face_token"),
            ({"face_name": ""}, "face_name"),
            ({"face_name": "x" * 256}, "face_name"),
            ({"face_name": "\ud800"}, "face_name"),
            ({"face_set": "a/b"}, "face_set"),
            ({"face_set": ".."}, "face_set"),
            ({"added_at": "yesterday"}, "added_at"),
            ({"added_at": 1}, "added_at"),
            ({"embedding": "AAAA"}, "embedding must be 128 numbers"),
            ({"embedding": "not base64!"}, "embedding must be in base64"),
            ({"embedding": base64.b64encode(b"\0\0\xc0\x7f" * 128).decode()}, "embedding must be finite"),
            ({"crop": base64.b64encode(b"MZ not a picture").decode()}, "crop must be a whole JPEG"),
            ({"crop": base64.b64encode(b"\xff\xd8\xff" + b"\0" * 400_000).decode()}, "line 1 of .* is longer"),
            ({"crop": base64.b64encode(b"\xff\xd8\xff" + b"\0" * 350_000).decode()}, "crop must have at most"),
            ({"crop": base64.b64encode(blank(321, 20)).decode()}, "crop must be a whole JPEG of at most 320 px"),
            ({"crop": base64.b64encode(blank(320, 20)[:-2]).decode()}, "crop must be a whole JPEG"),
            ({"landmarks": [[1, 2]]}, "landmarks"),
            ({"landmarks": [[1, 2]] * 4 + [[1, float("nan")]]}, "landmarks"),
            ({"landmarks": [["a", "b"]] * 5}, "landmarks"),
            ({"landmarks": {"a": 1}}, "landmarks"),
            ({"detector_id": "a\r\nX-Amz-Acl: public-read"}, "detector_id"),
        ],
    )
    def test_a_face_that_is_not_valid(self, site: Sites, archive: Folder, changes: dict[str, Any], reason: str) -> None:
        rewrite(archive, lambda lines: [{**lines[0], **changes}, lines[1]])

        self.refused(site, archive, reason)

    @pytest.mark.parametrize("line", [b"[]", b"{", b"[" * 100_000, b'"\xff"', b"9" * 100_000])
    def test_a_line_that_is_no_object(self, site: Sites, archive: Folder, line: bytes) -> None:
        replace_part(archive, gzip.compress(line + b"\n"))

        self.refused(site, archive, "line 1 of faces-00001.jsonl.gz is not valid: it is not a JSON object")

    def test_a_face_twice(self, site: Sites, archive: Folder) -> None:
        rewrite(archive, lambda lines: [lines[0], lines[0]])

        self.refused(site, archive, "a face_token twice")

    def test_fewer_faces_than_said(self, site: Sites, archive: Folder) -> None:
        rewrite(archive, lambda lines: lines[:1])

        self.refused(site, archive, "has 1 faces, and the manifest says 2")

    def test_a_bomb_of_one_line_and_one_of_many(self, site: Sites, archive: Folder) -> None:
        whole_line = json.dumps(records(archive)[0]).encode() + b"\n"
        replace_part(archive, gzip.compress(b"x" * 200_000_000, 1))
        self.refused(site, archive, "line 1 of .* is longer than")

        replace_part(archive, gzip.compress(whole_line * 501, 1))
        self.refused(site, archive, "has more than 500 lines")

    def test_bytes_that_are_not_those_of_the_manifest(self, site: Sites, archive: Folder) -> None:
        file = archive.path / "faces-00001.jsonl.gz"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        self.refused(site, archive, "its sha256 is not the manifest's")

        file.write_bytes(bytes(data) + b"\0")
        self.refused(site, archive, "has more than")

        file.unlink()
        self.refused(site, archive, r"faces-00001\.jsonl\.gz is missing")

    def test_a_part_that_is_cut_off(self, site: Sites, archive: Folder) -> None:
        data = (archive.path / "faces-00001.jsonl.gz").read_bytes()
        for broken in (data[: len(data) // 2], b"no gzip at all", data[:-8] + b"\0" * 8):
            replace_part(archive, broken)
            self.refused(site, archive, "is damaged behind its line")

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"format": "another"}, "not that of a face search archive"),
            ({"version": 2}, "version 2 of the format"),
            ({"dimension": 4}, "dimensions"),
            ({"dimension": 10**9}, "not valid"),
            ({"dimension": True}, "not valid"),
            ({"embedding_id": "a/b"}, "not valid"),
            ({"embedding_id": "unknown-128-0123456789ab"}, "no pack beside MODEL_DIR"),
            ({"parts": [{"file": "../secret", "faces": 1, "bytes": 1, "sha256": "0" * 64}]}, "not valid"),
            (
                {"parts": [{"file": "faces-00001.jsonl.gz", "faces": 10**9, "bytes": 1, "sha256": "0" * 64}]},
                "not valid",
            ),
            ({"parts": [{"file": "faces-00001.jsonl.gz", "faces": 1, "bytes": 10**12, "sha256": "0" * 64}]}, "valid"),
            ({"parts": [{"file": "faces-00001.jsonl.gz", "faces": 1, "bytes": 1, "sha256": "0" * 64}] * 2}, "valid"),
            ({"parts": "all"}, "not valid"),
        ],
    )
    def test_a_manifest_that_is_not_valid(
        self, site: Sites, archive: Folder, changes: dict[str, Any], reason: str
    ) -> None:
        file = archive.path / "manifest.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

        self.refused(site, archive, reason)

    def test_an_archive_of_another_model(self, site: Sites, archive: Folder) -> None:
        target = site("target")
        target.add(range(10, 12))
        target.re_embed(UNIT)

        with pytest.raises(ArchiveError, match="make re-embed"):
            transfers.import_from(target.parts, archive)

        assert target.parts.face_set.count() == 2

    def test_an_empty_face_set_is_put_under_the_archives_model(self, site: Sites, archive: Folder) -> None:
        target = site("target")
        [face] = target.add(range(1))
        target.re_embed(UNIT)
        target.remove(face.token)

        transfers.import_from(target.parts, archive)

        assert target.active == target.embedding_id("dlib")

    def refused(self, site: Sites, archive: Folder, reason: str) -> None:
        target = site("target")
        with pytest.raises(ArchiveError, match=reason):
            transfers.import_from(target.parts, archive)
        assert target.parts.face_set.count() == 0


class Noting(Folder):
    """A folder that notes which files are written."""

    def __init__(self, folder: Folder, written: list[str]) -> None:
        super().__init__(folder.path)
        self._written = written

    def write(self, name: str, data: bytes) -> None:
        self._written.append(name)
        super().write(name, data)


class FailingOnce(Folder):
    """A folder in which a file cannot be written the first time."""

    def __init__(self, folder: Folder, name: str) -> None:
        super().__init__(folder.path)
        self._failing = {name}

    def write(self, name: str, data: bytes) -> None:
        if name in self._failing:
            self._failing.clear()
            raise ServiceError("1003", 503, "a store cannot be reached")
        super().write(name, data)


def times(count: int) -> Callable[[], bool]:
    """Return what answers yes so many times."""
    answers = iter([True] * count)
    return lambda: next(answers, False)


def seconds(first: int, every: int = 0) -> Callable[[], int]:
    """Return an invocation's remaining milliseconds: these at first, and after each time it is asked so many less."""
    left = [first]

    def remaining() -> int:
        left[0] -= every
        return (left[0] + every) * 1000

    return remaining


def rewrite(archive: Folder, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    lines = [json.dumps(record).encode() + b"\n" for record in change(records(archive))]
    replace_part(archive, gzip.compress(b"".join(lines)))


def replace_part(archive: Folder, data: bytes) -> None:
    """Replace the only part, as somebody does who knows the format."""
    archive.write("faces-00001.jsonl.gz", data)
    whole = json.loads((archive.path / "manifest.json").read_text())
    whole["parts"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    archive.write("manifest.json", json.dumps(whole).encode())
