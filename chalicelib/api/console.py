"""The console, a page for people: one document that carries its style and its scripts.

One document is one request, so one invocation of a function that may have to start for it; it works below every path,
with and without a slash at its end; and nothing has to be built, as the modules of `web/` are joined when it is first
asked for.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("page")
STYLES = ("tokens.css", "parts.css", "views.css")
ENTRY = "main"

# The forms that the modules' imports and exports have.
_IMPORT = re.compile(r'^import ({[^;]*?}) from "\./([a-z_]+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async function|function|class|const) (\w+))", re.MULTILINE)
# Indentation, empty lines, and comments that have lines of their own: an eighth of the document.
_UNSEEN = re.compile(r"^(?:\s+|//[^\n]*\n|/\*.*?\*/\n)+", re.MULTILINE | re.DOTALL)


class Page(NamedTuple):
    """A document and the headers it is served with."""

    text: str
    headers: dict[str, str]


@cache
def page() -> Page:
    style = "".join(_read(name) for name in STYLES)
    script = _joined(ENTRY, set())
    text = _read("page.html").replace("/* style */", style).replace("/* script */", script)
    etag = '"' + hashlib.sha256(text.encode()).hexdigest()[:16] + '"'
    return Page(text, {"Content-Type": "text/html; charset=utf-8", "ETag": etag, **_security(style, script)})


def _joined(name: str, joined: set[str]) -> str:
    """A module after all that it imports, each once: a function's scope, whose value is what the module exports."""
    if name in joined:
        return ""
    joined.add(name)
    source = _read(f"{name}.js")
    imported = "".join(_joined(other, joined) for _, other in _IMPORT.findall(source))
    exported = ", ".join(exported for _, exported in _EXPORT.findall(source))
    scope = _EXPORT.sub(r"\1", _IMPORT.sub(r"const \1 = \2_module;", source))
    return f"{imported}const {name}_module = (() => {{\n{scope}return {{ {exported} }};\n}})();\n"


def _security(style: str, script: str) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "connect-src": "'self'",
        # Where deployed, crops are at S3.
        "img-src": "'self' blob: data: https://*.amazonaws.com",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # Kept, but asked about each time, which the ETag makes cheap: a new version is never half of an old one.
        "Cache-Control": "no-cache",
    }


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return _UNSEEN.sub("", (PAGE / name).read_text(encoding="utf-8"))
