"""The function's zip contains Chalice's package of the service, and nothing else."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path, PurePosixPath

import pytest

from infra.deploy.layers.__main__ import function_bytes
from infra.deploy.package import chalice_project, function
from infra.deploy.package.errors import PackageError

ROOT = Path(__file__).parents[2]
# The Python that runs the tests, so that byte code can be compiled.
PYTHON = "{}.{}".format(*sys.version_info[:2])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return function.build(tmp_path_factory.mktemp("function"), PYTHON)


def test_the_zip_contains_only_the_service_and_chalices_runtime(built: Path) -> None:
    service = {path.relative_to(ROOT).as_posix() for path in (ROOT / "chalicelib").rglob("*") if path.is_file()}
    expected = {name for name in service if "__pycache__" not in name}
    expected |= {"app.py", "chalice/__init__.py", "chalice/app.py"}
    modules = [PurePosixPath(name) for name in expected if name.endswith(".py")]
    tag = sys.implementation.cache_tag
    expected |= {str(module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc") for module in modules}

    assert set(zipfile.ZipFile(built).namelist()) == expected


def test_the_zip_contains_no_requirements(built: Path) -> None:
    """Chalice would install the top-level requirements into the function, built for the wrong machine."""
    assert (ROOT / "requirements.txt").is_file()
    assert built.stat().st_size < 1_200_000


def test_builds_are_reproducible(built: Path, tmp_path: Path) -> None:
    again = function.build(tmp_path / "deep" / "folder", PYTHON)

    assert hashlib.sha256(again.read_bytes()).digest() == hashlib.sha256(built.read_bytes()).digest()


def test_the_function_fits_beside_the_layers(built: Path) -> None:
    unzipped = sum(entry.file_size for entry in zipfile.ZipFile(built).infolist())

    assert function_bytes() / 2 < unzipped <= function_bytes()


def test_chalices_errors_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "app.py").write_text("no python")
    (tmp_path / ".chalice").symlink_to(ROOT / ".chalice")
    (tmp_path / "chalicelib").mkdir()
    monkeypatch.setattr(chalice_project, "ROOT", tmp_path)

    with pytest.raises(PackageError, match=r"chalice package failed: [^$]*SyntaxError"):
        function.build(tmp_path, PYTHON)
