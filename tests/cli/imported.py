"""The results of an import: its report, and the faces in the face set."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

from tests.cli.conftest import Run


def only(people: Path, kept: str) -> None:
    for path in people.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != kept:
            path.unlink()


def remove_all(run: Run) -> None:
    for face in json.loads(run("list", "--limit", "1000", "--json").stdout)["faces"]:
        run("remove", face["face_token"])


def report(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "report.csv").open(newline="") as file:
        return {row["file"]: row for row in csv.DictReader(file)}


def listed(run: Run) -> list[str]:
    return sorted(face["face_name"] for face in json.loads(run("list", "--limit", "1000", "--json").stdout)["faces"])
