"""The OpenAPI document of the service."""

from __future__ import annotations

from functools import cache
from typing import Any

from chalicelib.api.openapi import failures
from chalicelib.api.openapi.head import with_heads
from chalicelib.api.openapi.paths import KEY, PATHS
from chalicelib.api.openapi.schemas import SCHEMAS

VERSION = "0.1.0"

_DESCRIPTION = """\
Finds faces in photographs and tells whose they are.

The contract is older than this service, and some of its fields are misspelt: `sucess`, `face_neme`, `distant`. They
stay, and beside each stands a correctly spelt twin with the same value.

The text fields of a form may be in the query instead, each once, and a POST or PUT without any form needs no body. All
text is UTF-8, in an address with or without escapes. An empty argument is as if it were not there, and an unknown one
is ignored. Names are kept in Unicode's form NFC, and one of white space is as if it were empty. Fields and routes may
be added; none goes away, and none changes its meaning.

An address that is not in this document is refused with error 1001 and status 404, a method that is not with 405, and
what is no HTTP with 400, 414 or 431, all in the form of `Error`.
"""


@cache
def openapi() -> dict[str, Any]:
    """Return the document, OpenAPI 3.1.0; not to be changed."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Face search",
            "version": VERSION,
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": ".", "description": "Where this document came from."}],
        "tags": [
            {"name": "search", "description": "Faces of pictures, and who is like them."},
            {"name": "faces", "description": "The faces that are known."},
            {"name": "face sets", "description": "Known faces are kept in sets, and searched for in one."},
            {"name": "service", "description": "The service itself."},
        ],
        "paths": with_heads(PATHS),
        "components": {
            "schemas": SCHEMAS,
            "responses": failures.SHARED,
            "securitySchemes": {
                KEY: {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "An API key of the deployed service; a local one asks for none.",
                }
            },
        },
    }
