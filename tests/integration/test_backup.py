"""A face set that was dumped, dropped and restored answers as before."""

from __future__ import annotations

import subprocess

import pytest

from chalicelib.stores.database import Database
from tests.integration.gallery_faces import Faces, clustered


@pytest.mark.parametrize("database_url", ["mysql"], indirect=True)
def test_a_restored_dump_undoes_what_came_after_it(database: Database, database_url: str) -> None:
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
