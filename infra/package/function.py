"""The function's zip: the service and Chalice's run time, a few hundred kilobytes."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.layers import archive
from infra.package import chalice_project


def build(into: Path) -> Path:
    """Write function.zip into a folder; the same sources give the same bytes.

    Raises
    ------
    PackageError
        When Chalice cannot package the app.
    """
    with TemporaryDirectory() as work:
        chalice_project.package(Path(work) / "project", Path(work) / "packaged")
        return repack(Path(work) / "packaged" / "deployment.zip", into)


def repack(packaged: Path, into: Path) -> Path:
    """Write Chalice's zip anew as function.zip, without the times of its files."""
    into.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as work, zipfile.ZipFile(packaged) as chalices:
        chalices.extractall(work)
        archive.write_zip(Path(work), into / "function.zip")
    return into / "function.zip"
