"""The messages that the service gives, read from its code: details of errors, and log lines from WARNING on."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.documentation.commands import ROOT

FILES = [
    ROOT / "app.py",
    *sorted((ROOT / "chalicelib").rglob("*.py")),
    *sorted((ROOT / "infra" / "local").rglob("*.py")),
]

# The place of the text in the arguments of what makes an error.
_ERRORS = {
    "ServiceError": 2,
    "__init__": 2,  # of its subclasses
    "bad_argument": 0,
    "file_error": 0,
    "upload_error": 0,
    "_refused": 0,
    "SettingsError": 0,
    "ModelPackError": 0,
    "ArchiveError": 0,
}
_LEVELS = ("warning", "error", "exception", "critical")
_LOGGERS = ("log", "_log", "logger", "logging")


def errors() -> set[str]:
    """Return the texts of all errors, with `…` for everything that varies."""
    return _collected(_error_texts)


def log_lines() -> set[str]:
    """Return the texts of all log lines from WARNING on, with `…` for everything that varies."""
    return _collected(_log_texts)


def _collected(read: Callable[[Path], Iterator[str]]) -> set[str]:
    found = {text for file in FILES for text in read(file)}
    return {text for text in found if re.search(r"[a-z]{3}", text)}


def _error_texts(file: Path) -> Iterator[str]:
    tree = ast.parse(file.read_text("utf-8"))
    names = _assigned(tree)
    for scope, call in _calls(tree):
        place = _ERRORS.get(_name(call.func))
        if place is None or len(call.args) <= place:
            continue
        argument = call.args[place]
        local = names | _assigned(scope)
        values = local.get(argument.id, []) if isinstance(argument, ast.Name) else [argument]
        yield from _texts(values)


def _log_texts(file: Path) -> Iterator[str]:
    for _, call in _calls(ast.parse(file.read_text("utf-8"))):
        function = call.func
        if not isinstance(function, ast.Attribute) or _name(function.value) not in _LOGGERS:
            continue
        # `log` takes its level first, and that may be a warning.
        place = {"log": 1, **dict.fromkeys(_LEVELS, 0)}.get(function.attr)
        if place is not None:
            yield from (re.sub(r"%[sd]", "…", text) for text in _texts([call.args[place]]))


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Return each call, with the innermost function around it or the module."""
    scopes: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
    while scopes:
        scope, node = scopes.pop()
        if isinstance(node, ast.Call):
            yield scope, node
        inner = node if isinstance(node, ast.FunctionDef) else scope
        scopes.extend((inner, child) for child in ast.iter_child_nodes(node))


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    nodes = scope.body if isinstance(scope, ast.Module) else ast.walk(scope)
    for node in nodes:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def _texts(values: list[ast.expr]) -> Iterator[str]:
    for value in values:
        if isinstance(value, ast.IfExp):
            yield from _texts([value.body, value.orelse])
        elif isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield value.value
        elif isinstance(value, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "…" for part in value.values]
            yield re.sub("…+", "…", "".join(map(str, parts)))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
