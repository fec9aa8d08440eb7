"""Installs the emulation in moto, in place of moto's own S3 Vectors."""

from __future__ import annotations

import json
from typing import Any

from infra.s3_vectors.emulation import emulation

# Other processes read the record of replies here.
SEEN_PATH = "/moto-api/s3vectors/seen"


def install() -> None:
    """Make moto servers that this process starts later answer S3 Vectors' operations. Safe to call repeatedly."""
    from moto.moto_api._internal import urls as own_urls
    from moto.s3vectors import urls

    from infra.s3_vectors.responses import Responses

    own_paths: dict[str, Any] = own_urls.url_paths
    paths = [*urls.url_paths, "{0}/QueryVectors$"]
    urls.url_paths.update(dict.fromkeys(paths, Responses.dispatch))
    own_paths[f"{{0}}{SEEN_PATH}"] = _seen


def _seen(_request: Any, _url: str, _headers: Any) -> Any:
    return 200, {"Content-Type": "application/json"}, json.dumps(emulation.seen())
