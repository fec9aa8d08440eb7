"""The OpenAPI document of the service."""

from __future__ import annotations

from functools import cache
from typing import Any

from chalicelib.api.openapi import failures
from chalicelib.api.openapi.head import with_heads
from chalicelib.api.openapi.identity import SCHEMES, secured
from chalicelib.api.openapi.paths import PATHS
from chalicelib.api.openapi.schemas import SCHEMAS

VERSION = "0.1.0"

_DESCRIPTION = """\
Finds faces in photographs and identifies known people.

The contract is older than this service, and some of its fields are misspelt: `sucess`, `face_neme`, `distant`. These
fields remain. Each has a correctly spelt twin with the same value.

A body is a form, multipart or URL-encoded, or a JSON object with the same names. Text fields may be sent in the query
instead, each once. A POST or PUT without a picture needs no body. In JSON, a number may be text, and null counts as
absent. All text is UTF-8; addresses may escape it or not. Empty arguments count as absent, and unknown arguments are
ignored. Names are stored in Unicode's form NFC; a name of white space counts as empty. Fields and routes may be added.
No field or route is removed or changes its meaning.

An address that is not in this document is refused with error 1001 and status 404, an unknown method with 405, and
malformed HTTP with 400, 414 or 431. All these replies have the form of `Error`.
"""


@cache
def openapi(identity: str = "key") -> dict[str, Any]:
    """Return the OpenAPI 3.1.0 document for a setting of IDENTITY; callers must not change it."""
    return secured(_with_keys(), identity)


def _with_keys() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Face search",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": ".", "description": "The server that sent this document."}],
        "tags": [
            {"name": "search", "description": "Detect faces, search for similar known faces, and compare faces."},
            {"name": "faces", "description": "Manage known faces."},
            {"name": "people", "description": "List, rename, merge and remove people by name."},
            {
                "name": "face sets",
                "description": "Manage face sets. Each known face is in one set, and each search covers one set.",
            },
            {"name": "service", "description": "Check and describe the service."},
        ],
        "paths": with_heads(PATHS),
        "components": {
            "schemas": SCHEMAS,
            "responses": failures.SHARED,
            "securitySchemes": dict([SCHEMES["key"]]),
        },
    }
