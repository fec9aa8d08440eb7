"""Services with face sets in different databases, and a folder for an archive."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chalicelib.maintenance.transfer import exporting
from chalicelib.stores.face_set.schema import migrate
from infra.local.archive_file import Folder
from tests.integration.two_packs import Place, Process, build_packs

Sites = Callable[[str], Process]


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_packs(tmp_path_factory.mktemp("packs"))


@pytest.fixture
def site(packs: Path, tmp_path: Path, tokens_table: str, crops_bucket: str) -> Iterator[Sites]:
    """Return a service by the name of its database file, or by its database URL."""
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
    """Limit parts to two faces."""
    monkeypatch.setattr(exporting, "MAX_FACES", 2)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "archive")
