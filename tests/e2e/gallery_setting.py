"""Which gallery the tests of this folder run on: memory, or what GALLERY says in their own environment.

`GALLERY=s3vectors .venv/bin/python -m pytest tests/e2e` runs all of them through S3 Vectors.
"""

from __future__ import annotations

import os


def on_s3_vectors() -> bool:
    return os.environ.get("GALLERY") == "s3vectors"
