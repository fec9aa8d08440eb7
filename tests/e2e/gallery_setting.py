"""The gallery used by the tests of this folder: memory, unless GALLERY is set in their environment.

`GALLERY=s3vectors .venv/bin/python -m pytest tests/e2e` runs all of them with S3 Vectors.
"""

from __future__ import annotations

import os


def on_s3_vectors() -> bool:
    return os.environ.get("GALLERY") == "s3vectors"
