"""A face set that is dumped, deleted and restored answers as before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from chalicelib.faces import Terms
from chalicelib.maintenance import operations
from chalicelib.settings import Settings
from chalicelib.stores.database.base import Database
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.wiring import Wiring
from tests.embeddings import known_faces, unit_vectors
from tests.integration.gallery_faces import Faces, clustered


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
def test_a_restored_dump_undoes_later_changes(database: Database, database_url: str) -> None:
    address, _, name = database_url.partition("@")[2].partition("/")
    login = ["-h127.0.0.1", f"-P{address.partition(':')[2]}", "-uroot"]
    faces = Faces(database)
    known = faces.add(clustered(60))
    before = faces.expect(known[0], 1.2)
    assert before.matches
    dump = subprocess.run(["mariadb-dump", *login, "--single-transaction", name], capture_output=True, check=True)
    faces.face_set.remove(before.matches[0].token)
    faces.add(clustered(5, seed=7))
    assert faces.expect(known[0], 1.2) != before

    database.close()
    anew = f"DROP DATABASE {name}; CREATE DATABASE {name}".encode()
    subprocess.run(["mariadb", *login], input=anew, check=True)
    subprocess.run(["mariadb", *login, name], input=dump.stdout, check=True)

    assert faces.expect(known[0], 1.2) == before


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_copy_with_changes_after_the_backup_is_discarded(database: Database, database_url: str) -> None:
    """Even if the restored face set has as many changes as the copy, with other faces under the same ids."""
    path = Path(database_url.removeprefix("sqlite:///"))
    faces = Faces(database)
    faces.add(clustered(60))
    database.close()
    backup = path.read_bytes()
    faces.add(clustered(5, seed=7))
    faces.gallery.search(unit_vectors(1)[0], Terms(0.5, 10))
    database.close()
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    path.write_bytes(backup)

    parts = Wiring(Settings.from_environment({"DATABASE_URL": database_url}))
    assert "reloads it" in operations.restored(parts)
    others = faces.add(known_faces(unit_vectors(5, seed=9) * np.float32(3)))

    with pytest.raises(ModelChangedError):
        faces.gallery.search(unit_vectors(1)[0], Terms(0.5, 10))
    faces.gallery = faces.new_gallery()
    for other in others:
        faces.expect(other, 0.01)
        assert [match.token for match in faces.gallery.search(other.embedding, Terms(0.0, 10)).matches] == [other.token]
    parts.close()
