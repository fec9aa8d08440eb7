"""The commands in docs/runbook.md back up and restore the face set, for running and for new processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from chalicelib.faces import KnownFace, new_token
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.face_set import FaceSet
from tests.backups import Dump, can_dump, documented, run
from tests.conftest import absent
from tests.e2e import pictures
from tests.e2e.api import names
from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, LocalStack, environment, local_stack
from tests.services import mysql_database


def searches(api: HttpApi, tokens: list[str]) -> list[list[dict[str, Any]]]:
    """Return all matches of a search for each face, with exact distances."""
    found = [api.search(token, threshold="2")["cmp_result"] for token in tokens]
    assert all(len(matches) == len(tokens) - 1 for matches in found)
    return found


def reconciled(stack: LocalStack, url: str) -> str:
    """Return the output of `make reconcile`."""
    return subprocess.run(
        [sys.executable, "-m", "infra.local.operate", "reconcile", "--state", str(stack.state)],
        cwd=ROOT,
        env=environment(DATABASE_URL=url),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.usefixtures("in_memory")
def test_an_older_dump_is_restored_beside_a_running_process(tmp_path: Path, mysql_server: int) -> None:
    if not can_dump():
        absent("neither mariadb nor mariadb-dump")
    with mysql_database(mysql_server) as database:
        url = f"mysql://root@127.0.0.1:{mysql_server}/{database}"
        dump = Dump(url, tmp_path)
        with local_stack(tmp_path / "state", DATABASE_URL=url) as stack:
            api = HttpApi(stack.port)
            ada = api.added(pictures.astronaut(), "Ada")
            ben = api.added(pictures.drawing(), "Ben")
            eve = api.added(pictures.drawing(), "Eve")
            before = searches(api, [ada, ben, eve])
            dump.make()
            api.remove(ada)
            added_since = api.added(pictures.astronaut(), "Cleo")
            assert "Cleo" in names(api.search(ben, threshold="2"))  # the process has applied changes up to version 5

            dump.put_back()

            # Another process adds as many faces as the running process has seen changes since the dump. The running
            # process has also seen the new ids, so by the version alone nothing would have changed.
            elsewhere = connect(url)
            face_set = FaceSet(elsewhere)
            assert face_set.version() == 3
            [known] = [row for row in face_set.vectors(0, 2**62) if row.id == 2]
            others = [
                KnownFace(new_token(), name, known.embedding, known.embedding_id, f"{name}.jpg")
                for name in ("Dora", "Finn")
            ]
            face_set.add_many(others)
            assert (face_set.version(), max(row.id for row in face_set.vectors(0, 2**62))) == (5, 5)
            assert names(api.search(ben, threshold="0.1")) == ["Eve", "Dora", "Finn"]

            face_set.remove_many([face.token for face in others])
            assert searches(api, [ada, ben, eve]) == before
            assert api.get(f"/faces/{added_since}").status == 404
            report = reconciled(stack, url)
            assert "0 without a face deleted, 1 too new to judge; faces without a crop: 1" in report
            elsewhere.close()

        with local_stack(tmp_path / "state", DATABASE_URL=url) as stack:
            assert searches(HttpApi(stack.port), [ada, ben, eve]) == before


@pytest.mark.usefixtures("in_memory")
def test_a_laptops_state_folder_is_copied_and_restored(tmp_path: Path) -> None:
    away, *back = documented("cp |rm ")
    with local_stack(tmp_path / ".local") as stack:
        api = HttpApi(stack.port)
        tokens = [api.added(pictures.astronaut(), "Ada"), api.added(pictures.drawing(), "Ben")]
        before = searches(api, tokens)
    for text in (away, *back):
        run(text, tmp_path)

    with local_stack(tmp_path / ".local") as stack:
        api = HttpApi(stack.port)
        assert searches(api, tokens) == before
        assert api.get(f"/faces/{tokens[0]}/crop").status == 200
