"""The service answers every request that schemathesis derives from the document as the document says."""

from __future__ import annotations

from pathlib import Path

import app
from tests.e2e.local_stack import local_stack
from tests.specification.fuzz import fuzz

EXAMPLES = 5
SEED = 20261126


def test_schemathesis_finds_no_deviation(tmp_path: Path) -> None:
    with local_stack(tmp_path / "state") as stack:
        done = fuzz(stack.port, tmp_path, examples=EXAMPLES, seed=SEED)

        assert done.returncode == 0, done.stdout + done.stderr
        log = stack.log
    assert "Traceback" not in log
    # The requests got further than the token check.
    for request in (
        "GET /faces/{face_token}/crop",
        "PUT /faces/{face_token}",
        "POST /compare",
        "POST /groups",
        "GET /search",
    ):
        assert f"{request} 200 " in log, request
    count = sum(len(methods.keys() - {"OPTIONS"}) for methods in app.app.routes.values())
    assert f"Selected: {count}/{count}" in done.stdout
    assert f"Tested: {count}" in done.stdout
