"""Puts the emulation into moto, where moto looks for its own parts."""

from __future__ import annotations

import json
from typing import Any

from infra.s3_vectors.emulation import emulation

# Where another process asks what the emulation has seen.
SEEN_PATH = "/moto-api/s3vectors/seen"


def install() -> None:
    """Have the moto servers that this process starts from now on answer S3 Vectors' operations; may be repeated."""
    from moto.moto_api._internal import urls as own_urls
    from moto.s3vectors import urls

    from infra.s3_vectors.responses import Responses

    own_paths: dict[str, Any] = own_urls.url_paths
    paths = [*urls.url_paths, "{0}/QueryVectors$"]
    urls.url_paths.update(dict.fromkeys(paths, Responses.dispatch))
    own_paths[f"{{0}}{SEEN_PATH}"] = _seen


def _seen(_request: Any, _url: str, _headers: Any) -> Any:
    return 200, {"Content-Type": "application/json"}, json.dumps(emulation.seen())
