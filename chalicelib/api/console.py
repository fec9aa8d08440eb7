"""Serves the console and the API's reference, web pages that contain their own style and scripts.

A single document takes one request, so at most one cold start. It works below every path, with or without a trailing
slash. It needs no build: the modules in `page/` are joined at the first request.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).with_name("page")
STYLES = ("tokens.css", "parts.css", "views.css")
ENTRY = "main"
REFERENCE_STYLES = ("tokens.css", "parts.css", "reference.css")
REFERENCE_ENTRY = "reference"

# The only import and export syntax that the modules may use.
_IMPORT = re.compile(r'^import ({[^;]*?}) from "\./([a-z_]+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async function|function|class|const) (\w+))", re.MULTILINE)
# Indentation, empty lines and comments on their own lines: an eighth of the document.
_UNSEEN = re.compile(r"^(?:\s+|//[^\n]*\n|/\*.*?\*/\n)+", re.MULTILINE | re.DOTALL)
# White space and zeros that style sheets do not need: an eighth of them. Their strings have none like these.
_LOOSE = re.compile(r";?\s*(\})\s*|\s*([{;,>!])\s*|(?<=:)\s+|(?<=[ :(-])0(?=\.\d)")
# Spaces beside operators, and brackets of a single argument: a fifteenth of the scripts. Strings and templates stay,
# and so does the rest of a line from a nested template or a regular expression on, which must not begin with a space.
# `+` is left out, because `a + +b` is not `a++b`.
_LOOSE_SCRIPT = re.compile(
    r'("(?:[^"\\\n]|\\.)*"|`(?:[^`$\n]|\$\{[^`{}\n]*\})*`|`.*|/(?![/ ]).*)'
    r"|\((\w+)\) (=>) | ?([=?:,(){}<>&|;*!\[\]]) ?"
)
# Quotes around a value of a tag, which only some values need.
_QUOTES = re.compile(r'(?<==)"([\w#.-]+)"(?=[ >])')
# Ends of lines, and of the statement before a brace, that scripts do not need. Statements must end with a semicolon or
# a block, and comments must have their own lines.
_JOINT = re.compile(r";?\n(?=[})\].?:])|(?<=[{};,(\[])\n")


class Page(NamedTuple):
    """A document and its response headers."""

    text: str
    headers: dict[str, str]


@cache
def page() -> Page:
    return _document("page.html", STYLES, ENTRY)


@cache
def reference() -> Page:
    """Return the page that shows the OpenAPI document."""
    return _document("reference.html", REFERENCE_STYLES, REFERENCE_ENTRY)


def _document(name: str, styles: Sequence[str], entry: str) -> Page:
    style = _LOOSE.sub(r"\1\2", "".join(_read(name) for name in styles))
    script = _JOINT.sub("", _LOOSE_SCRIPT.sub(r"\1\2\3\4", _joined(entry, set())))
    text = _QUOTES.sub(r"\1", _read(name)).replace("/* style */", style).replace("/* script */", script)
    etag = '"' + hashlib.sha256(text.encode()).hexdigest()[:16] + '"'
    return Page(text, {"Content-Type": "text/html; charset=utf-8", "ETag": etag, **_security(style, script)})


def _joined(name: str, joined: set[str]) -> str:
    """Return a module after its imports, each once. Its scope is a function, which gives its exports to all modules."""
    if name in joined:
        return ""
    joined.add(name)
    source = _read(f"{name}.js")
    imported = "".join(_joined(other, joined) for _, other in _IMPORT.findall(source))
    exported = ", ".join(exported for _, exported in _EXPORT.findall(source))
    scope = _EXPORT.sub(r"\1", _IMPORT.sub("", source)).lstrip()
    return f"{imported}const {{ {exported} }} = (() => {{\n{scope}return {{ {exported} }};\n}})();\n"


def _security(style: str, script: str) -> dict[str, str]:
    policy = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": _hash(style),
        "connect-src": "'self'",
        # A deployed service sends crops from S3.
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
        # Cached, but revalidated at each load, which the ETag makes cheap. A new version never mixes with an old one.
        "Cache-Control": "no-cache",
    }


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _read(name: str) -> str:
    return _UNSEEN.sub("", (PAGE / name).read_text(encoding="utf-8"))
