"""What may import what: a lower floor never imports a higher one, and the run time imports no build-time package."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# From the ground up; a module may import from its own floor and from those before it.
FLOORS = [
    [
        "errors",
        "deadline",
        "settings",
        "faces",
        "names",
        "cursors",
        "measures",
        "logs",
        "cors",
        "response_headers",
        "reply_bytes",
        "times",
        "request_event",
    ],
    ["images", "jpeg", "png", "exif", "vision", "stores"],
    ["gallery", "measured", "crop_embedder", "token_embeddings"],
    ["comparison", "removal", "face_directory", "service", "re_embedding", "reconciliation", "transfer"],
    ["index_reconciliation", "vector_wiring"],
    ["uploads", "console", "replies", "observability", "endpoints", "serving", "wiring"],
    ["operations", "cold_start", "specification"],
    ["transfers"],
]


def _floor(module: str) -> int:
    return next(i for i, floor in enumerate(FLOORS) if module.split(".")[1] in floor)


def _modules() -> dict[str, Path]:
    files = [path for path in (ROOT / "chalicelib").rglob("*.py") if path.name != "__init__.py"]
    return {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in files}


def _imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.split(".")[0] == "chalicelib" and name != "chalicelib"}


@pytest.mark.parametrize("module", _modules())
def test_arrows_point_downward(module: str) -> None:
    above = {name for name in _imports(_modules()[module]) if _floor(name) > _floor(module)}

    assert above == set()


def test_the_app_imports_no_build_time_package_and_nothing_slow() -> None:
    """Models and clients are for the first request that needs them."""
    script = "import sys, app; print(*sorted(m.split('.')[0] for m in sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    unwanted = {"models", "infra", "onnx", "joblib", "lz4", "moto", "dlib", "onnxruntime", "boto3", "pymysql", "yaml"}

    assert set(done.stdout.split()) & unwanted == set()


def test_no_file_is_a_drawer_for_everything() -> None:
    names = {
        path.stem for folder in ("chalicelib", "models", "infra", "tests") for path in (ROOT / folder).rglob("*.py")
    }

    assert names & {"utils", "util", "helpers", "common", "misc", "manager"} == set()
