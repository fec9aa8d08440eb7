"""An archive holds the complete face set, whatever happens while it is written or read."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.errors import ServiceError
from chalicelib.maintenance.transfer import commands, exporting, manifest
from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.stores.face_set.active_model import NO_MODEL
from chalicelib.stores.face_set.exported_faces import ExportedFaces
from infra.local.archive_file import Folder, open_archive, pack
from tests.counts import assert_counts_are_right
from tests.integration.transfer.archives import everything, parts_of, records
from tests.integration.transfer.conftest import Sites
from tests.integration.two_packs import UNIT
from tests.saved_faces import delete_crop, known_faces

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.mark.usefixtures("small_parts")
class TestRoundTrip:
    @pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
    def test_a_round_trip_from_sqlite_to_mysql_loses_and_changes_nothing(
        self, site: Sites, database_url: str, folder: Folder, tmp_path: Path
    ) -> None:
        first, second, third = site("first"), site(database_url), site("third")
        faces = first.add(range(5))
        first.parts.face_set_names.create("staff.2026")
        staff = first.parts.face_set_names.id_of("staff.2026")
        first.parts.face_set.add_many(
            [face._replace(set_id=staff) for face in known_faces(first.parts.crops, first.model, range(5, 7))]
        )
        first.parts.face_set.rename(faces[1].token, "Ада 🙂\nO'Neil")
        first.parts.database.write(
            lambda transaction: transaction.execute("UPDATE face_set SET created_at = 1700000000 + id")
        )
        before = everything(first)
        searches = [first.search(face.token).matches for face in faces]

        commands.export_to(first.parts, folder)
        zipped = tmp_path / "faces.zip"
        pack(folder.path, ["manifest.json", *(part.file for part in parts_of(folder))], zipped)
        imported = commands.import_from(second.parts, open_archive(zipped))
        again = Folder(tmp_path / "again")
        commands.export_to(second.parts, again)
        commands.import_from(third.parts, again)

        assert (imported.added, imported.there, imported.done) == (7, 0, True)
        assert everything(second) == everything(third) == before
        assert_counts_are_right(second.parts.database)
        assert_counts_are_right(third.parts.database)
        assert [second.search(face.token).matches for face in faces] == searches
        assert [third.search(face.token).matches for face in faces] == searches
        # The same faces give byte-identical files.
        assert parts_of(again) == parts_of(folder)

    def test_names_of_an_earlier_version_are_normalised_on_import(self, site: Sites, folder: Folder) -> None:
        first, second = site("first"), site("second")
        before = ("Jose\N{COMBINING ACUTE ACCENT}", "\N{IDEOGRAPHIC SPACE}", "\N{DEVANAGARI LETTER QA}" * 200)
        faces = first.add(range(len(before)))
        for face, name in zip(faces, before, strict=True):
            first.parts.face_set.rename(face.token, name)
        commands.export_to(first.parts, folder)

        assert commands.import_from(second.parts, folder).added == len(before)

        names = {token: name for token, name, *_ in everything(second)}
        assert [names[face.token] for face in faces] == ["José", "unknown", before[2]]

    def test_existing_faces_are_not_changed(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        [one, two, three] = process.add(range(3))
        commands.export_to(process.parts, folder)
        process.parts.face_set.rename(one.token, "renamed since")
        process.remove(two.token)
        crops = everything(process)

        report = commands.import_from(process.parts, folder)

        assert (report.added, report.there) == (1, 2)
        after = {row[0]: row for row in everything(process)}
        assert [after[row[0]] for row in crops] == crops
        assert after[two.token][1] == two.name
        assert after.keys() == {one.token, two.token, three.token}

    def test_crops_of_faces_that_another_import_added_meanwhile_are_deleted(
        self, site: Sites, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = site("first")
        faces = process.add(range(3))
        commands.export_to(process.parts, folder)
        process.remove(faces[0].token)
        monkeypatch.setattr(ExportedFaces, "present", lambda *_: set())

        report = commands.import_from(process.parts, folder)

        assert (report.added, report.there) == (1, 2)
        assert sum(len(page) for page in process.parts.crops.permanent("")) == 3

    def test_an_empty_face_set_can_be_exported(self, site: Sites, folder: Folder) -> None:
        assert commands.export_to(site("first").parts, folder).done
        report = commands.import_from(site("second").parts, folder)

        assert (report.added, report.done) == (0, True)
        assert site("second").active == NO_MODEL

    def test_the_archive_matches_its_documentation(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        [face] = process.add(range(1))
        commands.export_to(process.parts, folder)

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

    def test_the_documented_example_reads_an_archive(
        self, site: Sites, folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        process = site("first")
        process.add(range(3))
        commands.export_to(process.parts, folder)
        monkeypatch.chdir(folder.path.parent)
        pack(folder.path, ["manifest.json", *(part.file for part in parts_of(folder))], Path("faces.zip"))
        page = (Path(__file__).parents[3] / "docs" / "transfer.md").read_text()
        example = page.partition("```python\n")[2].partition("```")[0]

        exec(compile(example, "transfer.md", "exec"), {})  # noqa: S102

        assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()] == [
            [str(number), "(128,)"] for number in range(3)
        ]


@pytest.mark.usefixtures("small_parts")
class TestInterrupted:
    def test_an_export_continues_where_it_stopped(self, site: Sites, folder: Folder, tmp_path: Path) -> None:
        process = site("first")
        process.add(range(7))
        whole = Folder(tmp_path / "whole")
        commands.export_to(process.parts, whole)

        written: list[str] = []
        for _ in range(3):
            assert not commands.export_to(process.parts, Noting(folder, written), may_go_on=times(1)).done
        assert commands.export_to(process.parts, Noting(folder, written)).done

        assert parts_of(folder) == parts_of(whole)
        parts = [name for name in written if name.startswith("faces-")]
        assert len(parts) == len(set(parts)) == 4
        assert {path.name for path in folder.path.iterdir()} == {"manifest.json", *parts}

    def test_a_failing_store_loses_no_part(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        process.add(range(5))
        failing = FailingOnce(folder, "faces-00002.jsonl.gz")

        with pytest.raises(ServiceError):
            commands.export_to(process.parts, failing)
        assert commands.export_to(process.parts, failing).done

        assert len(records(folder)) == 5

    def test_an_import_continues_where_it_stopped(self, site: Sites, folder: Folder) -> None:
        first, second = site("first"), site("second")
        first.add(range(5))
        commands.export_to(first.parts, folder)

        stopped = commands.import_from(second.parts, folder, may_go_on=times(1))
        assert (stopped.added, stopped.next_part, stopped.done) == (2, 2, False)
        assert commands.import_from(second.parts, folder, may_go_on=times(1)).there == 2
        rest = commands.import_from(second.parts, folder, first_part=stopped.next_part)

        assert (rest.added, rest.there, rest.done) == (3, 0, True)
        assert everything(second) == everything(first)


@pytest.mark.usefixtures("small_parts")
class TestChangedMeanwhile:
    def test_a_face_removed_during_the_export_is_not_in_the_archive(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        faces = process.add(range(6))

        def change(done: int, _: int) -> None:
            if done == 4:  # the first two parts are written
                process.remove(faces[0].token)
                process.remove(faces[2].token)
                process.remove(faces[3].token)
                process.parts.face_set.rename(faces[1].token, "another name")

        commands.export_to(process.parts, folder, progress=change)

        assert [(record["face_token"], record["face_name"]) for record in records(folder)] == [
            (faces[1].token, "another name"),
            (faces[4].token, "4"),
            (faces[5].token, "5"),
        ]
        # The part that became empty is deleted with its file.
        assert sorted(path.name for path in folder.path.iterdir()) == [
            "faces-00001.jsonl.gz",
            "faces-00003.jsonl.gz",
            "manifest.json",
        ]

    def test_a_face_removed_between_two_runs_is_not_in_the_archive(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        faces = process.add(range(4))
        commands.export_to(process.parts, folder, may_go_on=times(2))
        process.remove(faces[1].token)

        commands.export_to(process.parts, folder)

        assert [record["face_token"] for record in records(folder)] == [faces[i].token for i in (0, 2, 3)]

    def test_a_range_with_too_many_faces_is_divided(
        self, site: Sites, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = site("first")
        faces = process.add(range(7))
        monkeypatch.setattr(exporting, "MAX_FACES", 5)
        commands.export_to(process.parts, folder, may_go_on=times(1))
        monkeypatch.setattr(exporting, "MAX_FACES", 2)
        process.parts.face_set.rename(faces[0].token, "renamed")

        commands.export_to(process.parts, folder)

        assert [part.faces for part in parts_of(folder)] == [2, 2, 1, 2]
        assert [record["face_token"] for record in records(folder)] == [face.token for face in faces]

    def test_an_export_restarts_under_another_model(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        faces = process.add(range(5))
        commands.export_to(process.parts, folder, may_go_on=times(2))
        process.re_embed(UNIT)

        def remove_all_but_one(done: int, _: int) -> None:
            if done == 2:
                for face in faces[1:]:
                    process.remove(face.token)

        commands.export_to(process.parts, folder, progress=remove_all_but_one)

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

        report = commands.export_to(process.parts, folder)

        assert (report.faces, report.left_out) == (2, [faces[1].token])
        # A repeated call reports the face, too.
        assert commands.export_to(process.parts, folder).left_out == [faces[1].token]


@pytest.mark.usefixtures("small_parts")
class TestFunctions:
    def test_repeated_invocations_finish(self, site: Sites, s3: S3Client, crops_bucket: str) -> None:
        first, second = site("first"), site("second")
        first.add(range(5))

        event: dict[str, Any] = {"name": "monday"}
        said = commands.export_in_time(first.parts, event, seconds(60, 20))
        assert said == {"faces": 4, "left_out": [], "done": False}
        said = commands.export_in_time(first.parts, event, seconds(900))
        assert said == {"faces": 5, "left_out": [], "done": True}
        keys = {item["Key"] for item in s3.list_objects_v2(Bucket=crops_bucket, Prefix="exports/")["Contents"]}
        assert keys == {"exports/monday/manifest.json", *(f"exports/monday/faces-0000{n}.jsonl.gz" for n in (1, 2, 3))}

        said = commands.import_in_time(second.parts, event, seconds(60, 30))
        assert said == {"added": 2, "there": 0, "next_part": 2, "done": False}
        said = commands.import_in_time(second.parts, event | {"first_part": 2}, seconds(900))
        assert said == {"added": 3, "there": 0, "next_part": 4, "done": True}
        assert everything(second) == everything(first)

    @pytest.mark.parametrize("name", [None, 7, "", "..", "a/b", "../faces", ".hidden", "x" * 65])
    def test_an_invalid_archive_name_is_refused(self, site: Sites, name: object) -> None:
        for operation in (commands.export_in_time, commands.import_in_time):
            with pytest.raises(ArchiveError, match="name must be"):
                operation(site("first").parts, {"name": name}, seconds(900))

    @pytest.mark.parametrize("first_part", [0, -1, "2", 1.0, True])
    def test_a_first_part_must_be_a_positive_number(self, site: Sites, first_part: object) -> None:
        with pytest.raises(ArchiveError, match="first_part must be"):
            commands.import_in_time(site("first").parts, {"name": "a", "first_part": first_part}, seconds(900))

    def test_importing_a_missing_archive_is_an_error(self, site: Sites) -> None:
        with pytest.raises(ArchiveError, match=r"no manifest\.json"):
            commands.import_in_time(site("first").parts, {"name": "nothing"}, seconds(900))


class Noting(Folder):
    """A folder that records which files are written."""

    def __init__(self, folder: Folder, written: list[str]) -> None:
        super().__init__(folder.path)
        self._written = written

    def write(self, name: str, data: bytes) -> None:
        self._written.append(name)
        super().write(name, data)


class FailingOnce(Folder):
    """A folder in which one file cannot be written the first time."""

    def __init__(self, folder: Folder, name: str) -> None:
        super().__init__(folder.path)
        self._failing = {name}

    def write(self, name: str, data: bytes) -> None:
        if name in self._failing:
            self._failing.clear()
            raise ServiceError("1003", 503, "a store cannot be reached")
        super().write(name, data)


def times(count: int) -> Callable[[], bool]:
    """Return a function that returns True `count` times, then False."""
    answers = iter([True] * count)
    return lambda: next(answers, False)


def seconds(first: int, every: int = 0) -> Callable[[], int]:
    """Return a function of an invocation's remaining milliseconds, less by `every` seconds at each call."""
    left = [first]

    def remaining() -> int:
        left[0] -= every
        return (left[0] + every) * 1000

    return remaining
