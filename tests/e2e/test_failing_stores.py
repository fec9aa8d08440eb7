"""Replies while a reachable store is broken; tests/harness/faults tests unreachable stores."""

from __future__ import annotations

import sqlite3

from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import LocalStack
from tests.e2e.refusals import TOKEN


def test_a_broken_store(sqlite_stack: LocalStack, sqlite_api: HttpApi) -> None:
    with sqlite3.connect(sqlite_stack.state / "face_set.sqlite") as database:
        database.execute("ALTER TABLE face_set RENAME TO elsewhere")
    try:
        reply = sqlite_api.get("/search", face_token=TOKEN, threshold="0.65")
    finally:
        with sqlite3.connect(sqlite_stack.state / "face_set.sqlite") as database:
            database.execute("ALTER TABLE elsewhere RENAME TO face_set")

    assert reply.status == 500
    assert "retry-after" not in reply.headers
    assert reply.body == {
        "sucess": False,
        "success": False,
        "error_code": "1003",
        "error_msg": "INTERNAL_ERROR",
        "detail": "the server failed; the fault is logged under this request's id",
    }
