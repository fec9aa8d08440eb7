"""When an export's last run ends, its archive equals the face set, whatever earlier runs left behind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from chalicelib.faces import KnownFace
from chalicelib.maintenance.transfer import commands, exporting, manifest
from chalicelib.maintenance.transfer.errors import ArchiveError
from infra.local.archive_file import Folder
from tests.integration.transfer.archives import everything, parts_of, records
from tests.integration.transfer.conftest import Sites
from tests.integration.two_packs import UNIT, Process
from tests.saved_faces import known_faces

Change = Callable[[Process, Sequence[KnownFace]], object]


class KilledError(Exception):
    """Stands in for a kill."""


class Dying(Folder):
    """A folder that allows a number of changes and then simulates a kill of the process."""

    def __init__(self, path: Path, changes: int) -> None:
        super().__init__(path)
        self._left = changes

    def write(self, name: str, data: bytes) -> None:
        self._count()
        super().write(name, data)

    def delete(self, name: str) -> None:
        self._count()
        super().delete(name)

    def _count(self) -> None:
        if not self._left:
            raise KilledError
        self._left -= 1


def removed_in_front(process: Process, faces: Sequence[KnownFace]) -> None:
    process.remove(faces[0].token)


def last_part_removed(process: Process, faces: Sequence[KnownFace]) -> None:
    for face in faces[4:]:
        process.remove(face.token)


def one_renamed_and_one_new(process: Process, faces: Sequence[KnownFace]) -> None:
    process.parts.face_set.rename(faces[1].token, "another name")
    process.add(range(5, 6))


def another_in_the_same_number(process: Process, faces: Sequence[KnownFace]) -> None:
    """Put another face under the token and name of a removed one."""
    process.remove(faces[2].token)
    [other] = known_faces(process.parts.crops, process.model, range(7, 8))
    process.parts.face_set.add_many([other._replace(token=faces[2].token, name=faces[2].name)])


def under_another_model(process: Process, faces: Sequence[KnownFace]) -> None:
    process.re_embed(UNIT)


def nothing(process: Process, faces: Sequence[KnownFace]) -> None:
    pass


CHANGES = [
    nothing,
    removed_in_front,
    last_part_removed,
    one_renamed_and_one_new,
    another_in_the_same_number,
    under_another_model,
]


@pytest.mark.usefixtures("small_parts")
class TestStale:
    @pytest.mark.parametrize("change", CHANGES)
    def test_a_second_run_exports_the_current_faces_whenever_the_first_was_killed(
        self, site: Sites, tmp_path: Path, change: Change
    ) -> None:
        process = site("first")
        faces = process.add(range(5))
        folders: list[Folder] = []
        while not folders or not self.was_whole(folders[-1]):
            folders.append(Folder(tmp_path / str(len(folders))))
            try:
                commands.export_to(process.parts, Dying(folders[-1].path, len(folders) - 1))
            except KilledError:
                continue
        assert len(folders) > 8

        change(process, faces)

        for folder in folders:
            commands.export_to(process.parts, folder)
            self.holds(folder, process)

    def test_a_second_run_killed_at_any_point_leaves_no_wrong_data(
        self, site: Sites, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        process = site(database_url)
        faces = process.add(range(7))
        folder = Folder(tmp_path / "archive")
        monkeypatch.setattr(exporting, "MAX_FACES", 5)  # so that parts are divided
        commands.export_to(process.parts, folder)
        monkeypatch.setattr(exporting, "MAX_FACES", 2)
        names = [face.name for face in faces]

        for changes in range(60):
            # Rename back and forth, so the next run finds labels that an earlier run noted.
            names[0] = "another name" if names[0] == "0" else "0"
            process.parts.face_set.rename(faces[0].token, names[0])
            try:
                done = commands.export_to(process.parts, Dying(folder.path, changes)).done
            except KilledError:
                done = False
            whole = manifest.read(folder)
            assert done <= (whole is not None)
            for part in () if whole is None else whole.parts:
                manifest.read_part(folder, part)
            if done:
                break

        assert done
        self.holds(folder, process)

    def test_an_archive_of_another_face_set_is_replaced(self, site: Sites, folder: Folder) -> None:
        one, other = site("one"), site("other")
        one.add(range(5))
        other.add(range(5, 8))
        commands.export_to(one.parts, folder)

        commands.export_to(other.parts, folder)

        self.holds(folder, other)

    def test_an_archive_without_the_exports_account_is_not_continued(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        process.add(range(1))
        folder.write("manifest.json", b'{"format": "face-search-archive"}')

        with pytest.raises(ArchiveError, match=r"manifest\.json is not from an export that can be continued"):
            commands.export_to(process.parts, folder)

    def test_a_complete_and_current_archive_is_not_written_again(self, site: Sites, folder: Folder) -> None:
        process = site("first")
        process.add(range(3))
        commands.export_to(process.parts, folder)
        times = {part.file: (folder.path / part.file).stat().st_mtime_ns for part in parts_of(folder)}

        commands.export_to(process.parts, folder)

        assert {part.file: (folder.path / part.file).stat().st_mtime_ns for part in parts_of(folder)} == times

    @staticmethod
    def was_whole(folder: Folder) -> bool:
        return manifest.read(folder) is not None and not (folder.path / exporting.ACCOUNT).exists()

    @staticmethod
    def holds(folder: Folder, process: Process) -> None:
        """Check that the archive holds exactly the faces of the face set, and that no other file exists."""
        held = [(record["face_token"], record["face_name"]) for record in records(folder)]
        assert held == [row[:2] for row in everything(process)]
        for part in parts_of(folder):
            manifest.read_part(folder, part)
        assert {path.name for path in folder.path.iterdir()} == {
            "manifest.json",
            *(part.file for part in parts_of(folder)),
        }
