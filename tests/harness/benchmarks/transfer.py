"""Measures imports of pictures, with one job and with one per core, and exports and imports of faces.

`python -m tests.harness.benchmarks.transfer FOLDER`, with pictures `<name>/*.jpg`, uses the first PICTURES of
them: half with one job and half with several, in turns, so that a temporarily busy machine favours neither.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.e2e.http_api import HttpApi
from tests.e2e.local_stack import ROOT, environment, local_stack

PICTURES = 600
ROUNDS = 6


def main() -> None:
    source = Path(sys.argv[1]).absolute()
    with TemporaryDirectory() as name:
        folder = Path(name)
        portions = _portions(source, folder)
        with local_stack(folder / "state") as running:
            url = f"http://localhost:{running.port}"
            cores = os.cpu_count() or 1
            rates: dict[int, list[float]] = {1: [], cores: []}
            for i, portion in enumerate(portions):
                jobs = (1, cores)[(i + i // 2) % 2]  # one, many, many, one, ...
                rates[jobs].append(_import_folder(portion, url, jobs))
            faces = HttpApi(running.port).get("/info").body["faces"]
            export = _seconds("export", folder / "faces.zip", folder / "state")
            # All faces exist already, which measures a second run.
            again = _seconds("import", folder / "faces.zip", folder / "state")
        with local_stack(folder / "other"):
            new = _seconds("import", folder / "faces.zip", folder / "other")
        print(f"{len(portions) * len(list(portions[0].rglob('*.jpg')))} pictures, load {os.getloadavg()[0]:.1f}")
        one, many = (statistics.median(rates[jobs]) for jobs in (1, cores))
        print(f"pictures imported: {one:.0f} a second by 1 job, {many:.0f} by {cores} ({many / one:.2f} times)")
        size = (folder / "faces.zip").stat().st_size
        print(f"exported: {faces / export:.0f} faces a second, {size / faces / 1000:.1f} kB a face")
        print(f"imported: {faces / new:.0f} faces a second; when all are there: {faces / again:.0f}")


def _portions(source: Path, folder: Path) -> list[Path]:
    """Link the first pictures into folders of equal size."""
    pictures = list(islice(sorted(source.glob("*/*.jpg")), PICTURES))
    size = len(pictures) // ROUNDS
    portions = []
    for number in range(ROUNDS):
        portion = folder / f"portion-{number}"
        for path in pictures[number * size : (number + 1) * size]:
            (portion / path.parent.name).mkdir(parents=True, exist_ok=True)
            (portion / path.parent.name / path.name).symlink_to(path)
        portions.append(portion)
    return portions


def _import_folder(folder: Path, url: str, jobs: int) -> float:
    """Return the number of pictures imported per second."""
    said = subprocess.run(
        [sys.executable, "-m", "face_search_cli", "--url", url, "import", str(folder), "--jobs", str(jobs)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": "infra/cli"},
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    timed = re.search(r"(\d+) files in ([\d.]+) s", said)
    assert timed is not None, said
    return int(timed[1]) / float(timed[2])


def _seconds(what: str, file: Path, state: Path) -> float:
    """Return the duration in seconds, without the start of the program."""
    said = subprocess.run(
        [sys.executable, "-m", "infra.local.transfer", what, str(file), "--state", str(state)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    timed = re.search(r"; ([\d.]+) s\.$", said.strip())
    assert timed is not None, said
    return max(float(timed[1]), 0.1)


if __name__ == "__main__":
    main()
