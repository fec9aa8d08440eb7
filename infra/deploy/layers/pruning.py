"""Removes the files that the service never loads from an installed tree, about a sixth of it."""

from __future__ import annotations

import shutil
from fnmatch import fnmatch
from pathlib import Path

# Paths inside the tree, as shell patterns; * also matches slashes. Matching files and whole folders are removed. They
# contain no licence or notice of a remaining file. Libraries are not stripped: that breaks numpy's OpenBLAS.
UNUSED = (
    "bin",
    "*.dist-info/RECORD",  # would list removed files
    "*.pyi",
    "*.pxd",
    "*.h",
    "*.a",
    "*/tests",
    "*/conftest.py",
    "cv2/data",  # Haar cascades
    "numpy/f2py",
    "numpy/_pyinstaller",
    # The extension module contains the whole library and links no other.
    "onnxruntime/capi/libonnxruntime.so*",
    "onnxruntime/backend",
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    # onnxruntime requires these packages, but only its modules removed above import them.
    "flatbuffers",
    "flatbuffers-*.dist-info",
    "google",
    "protobuf-*.dist-info",
    "packaging",
    "packaging-*.dist-info",
)


# botocore describes some 400 services. These are the ones that the service calls, and what all of them need.
BOTOCORE_DATA = frozenset(
    {
        "_retry.json",
        "dynamodb",
        "endpoints.json",
        "events",
        "partitions.json",
        "s3",
        "s3vectors",
        "sdk-default-configuration.json",
    }
)


def prune(tree: Path) -> None:
    """Remove the unused files and folders, and the folders left empty."""
    for path in sorted(tree.rglob("*")):
        if not path.exists() or not _is_unused(path.relative_to(tree).as_posix()):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()


def _is_unused(path: str) -> bool:
    match path.split("/"):
        case ["botocore", "data", name, *_]:
            return name.removesuffix(".gz") not in BOTOCORE_DATA
    return any(fnmatch(path, pattern) for pattern in UNUSED)
