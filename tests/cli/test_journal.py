"""The journal of an import keeps every line that was written whole, whatever happened to another."""

from __future__ import annotations

from pathlib import Path

from face_search_cli.journal import ADDED, Entry, Journal

PLACE = "http://localhost:8000 default"
ONE, OTHER = (Entry(digit * 64, ADDED, digit * 24, "Ada") for digit in "12")


def test_a_line_after_a_cut_one_is_read(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, PLACE) as journal:
        journal.note(ONE)
    path.write_bytes(path.read_bytes()[:-5])  # as when the machine stopped
    with Journal(path, PLACE) as journal:
        assert journal.get(ONE.sha256) is None
        journal.note(OTHER)

    with Journal(path, PLACE) as journal:
        assert journal.get(OTHER.sha256) == OTHER


def test_a_line_is_in_the_file_before_the_next_picture(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    with Journal(path, PLACE) as journal:
        journal.note(ONE)

        with Journal(path, PLACE) as another:
            assert another.get(ONE.sha256) == ONE
