"""Builds the function's zip: the service and Chalice's runtime, a few hundred kilobytes."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.deploy.layers import archive, byte_code
from infra.deploy.package import chalice_project


def build(into: Path, python: str) -> Path:
    """Write function.zip into a folder. The same sources give the same bytes.

    Parameters
    ----------
    python
        The minor version that runs the function, like 3.13.

    Raises
    ------
    PackageError
        When Chalice cannot package the app.
    """
    with TemporaryDirectory() as work:
        chalice_project.package(Path(work) / "project", Path(work) / "packaged")
        return repack(Path(work) / "packaged" / "deployment.zip", into, python)


def repack(packaged: Path, into: Path, python: str) -> Path:
    """Rewrite Chalice's zip as function.zip, without file times, and with byte code if this Python is installed.

    Without byte code, each cold start compiles the service and Chalice.
    """
    into.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as work, zipfile.ZipFile(packaged) as chalices:
        chalices.extractall(work)
        if command := byte_code.interpreter(python):
            byte_code.compile_modules(Path(work), command, byte_code.FUNCTION)
        archive.write_zip(Path(work), into / "function.zip")
    return into / "function.zip"
