"""docs/api.md describes every route except HEAD and browsers' preflights, and describes nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import app

REFERENCE = Path(__file__).parents[2] / "docs" / "api.md"
# Pages and the specification.
ELSEWHERE = {"/", "/upload", "/docs", "/openapi.json"}


def test_every_route_has_a_heading() -> None:
    described = set(re.findall(r"\b(GET|POST|PUT|DELETE) (/\S*)$", "\n".join(_headings()), re.MULTILINE))
    routes = {(method, path) for path, methods in app.app.routes.items() for method in methods}

    assert {route for route in routes if route[0] not in ("HEAD", "OPTIONS") and route[1] not in ELSEWHERE} == described


def _headings() -> list[str]:
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    return [re.sub(r", (?=GET|POST|PUT|DELETE)", "\n", line) for line in lines if line.startswith("### ")]
