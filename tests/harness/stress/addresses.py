"""The addresses of the AWS services that a run's first process serves."""

from __future__ import annotations

import os
from urllib.parse import urlsplit


def lead_to(endpoint: str) -> None:
    """Point this process's AWS clients to a server on this machine."""
    os.environ.update(
        AWS_ENDPOINT_URL=endpoint,
        AWS_ACCESS_KEY_ID="test",
        AWS_SECRET_ACCESS_KEY="test",
        AWS_DEFAULT_REGION="eu-central-1",
        NO_PROXY="127.0.0.1",
    )


def bucket(endpoint: str) -> str:
    """Return a run's own bucket name, because all moto servers of a process share their data."""
    return f"stress-{urlsplit(endpoint).port}"
