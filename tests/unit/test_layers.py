"""Import rules: which folders each folder may import, checked against the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GROUND = {"errors", "deadline", "settings", "faces", "names", "times", "happenings"}
DATA = {"stores/aws", "stores/database", "stores/face_set"}
# The chalicelib folders and modules that each folder, or top-level module, may import besides its own and the ground.
ALLOWED: dict[str, set[str]] = {
    **{name: set() for name in GROUND},
    "images": set(),
    "vision": set(),
    "stores": set(),
    "stores/aws": {"stores"},
    "stores/database": {"stores", "stores/aws"},
    "stores/face_set": {"stores", "stores/database"},
    "gallery": {"stores", "stores/aws", "stores/face_set"},
    "telemetry": {"vision"},
    "identity": set(),
    "release": set(),
    "service": {"images", "vision", "gallery", "telemetry", "stores/aws", "stores/face_set"},
    "vector_wiring": {"gallery", *DATA},
    "wiring": {"vision", "gallery", "service", "telemetry", "vector_wiring", *DATA},
    "api": {"images", "vision", "gallery", "service", "telemetry", "stores/face_set"},
    "api/openapi": {"api", "images", "vision", "service"},
    "maintenance": {"vision", "gallery", "service", "telemetry", "wiring", "vector_wiring", *DATA},
    "maintenance/transfer": {"maintenance", "images", "vision", "wiring", "stores", "stores/aws", "stores/face_set"},
    "incoming": {"api", "images", "service", "stores/aws", "stores/face_set", "telemetry", "wiring"},
    "cold_start": {"wiring"},
}


def _modules() -> dict[str, Path]:
    files = [path for path in (ROOT / "chalicelib").rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}


def _folder(module: str) -> str:
    """Return the key of ALLOWED for a module: its folder, or the module itself if it is at the top level."""
    inner = module.split(".")[1:]
    return "/".join(inner[:-1]) or inner[0]


def _imported(path: Path) -> Iterator[str]:
    """Yield every module of chalicelib that a file imports, at any place in the file."""
    modules = _modules()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("chalicelib"):
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in modules else str(node.module)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("chalicelib"))


def test_every_folder_has_a_rule() -> None:
    assert {_folder(module) for module in _modules()} == set(ALLOWED)


@pytest.mark.parametrize("module", _modules())
def test_a_folder_imports_only_modules_in_its_rule(module: str) -> None:
    folder = _folder(module)
    # The ground's modules import only each other: deadline raises errors, and faces contain names.
    allowed = ALLOWED[folder] | {folder} | GROUND

    assert {name for name in _imported(_modules()[module]) if _folder(name) not in allowed} == set()


def test_every_allowed_import_is_used() -> None:
    used: dict[str, set[str]] = {folder: set() for folder in ALLOWED}
    for module, path in _modules().items():
        used[_folder(module)] |= {_folder(name) for name in _imported(path)} - {_folder(module)} - GROUND

    assert {folder: ALLOWED[folder] - used[folder] for folder in ALLOWED if ALLOWED[folder] - used[folder]} == {}


def test_there_are_no_import_cycles() -> None:
    modules = _modules()
    imports = {module: set(_imported(path)) & set(modules) for module, path in modules.items()}
    # A database driver is imported only if its database is used.
    while leaves := {module for module in imports if not imports[module] & set(imports)}:
        imports = {module: found for module, found in imports.items() if module not in leaves}

    assert imports == {}


def test_importing_the_app_loads_no_build_or_slow_package() -> None:
    """The first request that needs models and clients loads them."""
    script = "import sys, app; print(*sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    unwanted = {
        "models",
        "infra",
        "onnx",
        "joblib",
        "lz4",
        "moto",
        "dlib",
        "onnxruntime",
        "boto3",
        "pymysql",
        "yaml",
    } | {"joserfc", "cryptography"}

    assert set(done.stdout.split()) & unwanted == set()


def test_no_file_has_a_catch_all_name() -> None:
    names = {
        path.stem for folder in ("chalicelib", "models", "infra", "tests") for path in (ROOT / folder).rglob("*.py")
    }

    assert names & {"utils", "util", "helpers", "common", "misc", "manager"} == set()
