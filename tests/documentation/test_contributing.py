"""Every file, make target and test that CONTRIBUTING.md names exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.documentation.commands import ROOT, commands, targets_in_prose

PAGE = ROOT / "CONTRIBUTING.md"
TEXT = PAGE.read_text("utf-8")
QUOTED = sorted(set(re.findall(r"`([^`\n]+)`", TEXT)))

_TEST = re.compile(r"(tests/[\w/]+\.py)((?:::\w+)+)")
_PATH = re.compile(r"\.?\w[\w.-]*/[\w./-]*|\.[a-z][a-z.-]+|[\w-]+\.(?:js|md|py|toml|yaml)")
_LINK = re.compile(r"\]\(([^)#]+)\)")

TESTS = [match for text in QUOTED if (match := _TEST.fullmatch(text))]
PATHS = sorted({text for text in QUOTED if _PATH.fullmatch(text)} | set(_LINK.findall(TEXT)))


def test_the_page_names_tests_and_files() -> None:
    assert len(TESTS) >= 40
    assert len(PATHS) >= 50


@pytest.mark.parametrize("path", PATHS)
def test_a_named_file_exists(path: str) -> None:
    assert (ROOT / path).exists()
    assert (ROOT / path).is_dir() or not path.endswith("/")


@pytest.mark.parametrize("test", TESTS, ids=lambda match: str(match[0]))
def test_a_named_test_exists(test: re.Match[str]) -> None:
    assert test[2].removeprefix("::") in _tests_in(ROOT / test[1])


def test_named_targets_are_in_the_makefile() -> None:
    rules = re.findall(r"^([a-z0-9][a-z0-9 -]*):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    run = {match[1] for command in commands(PAGE) if (match := re.match(r"make ([a-z-]+)", command.text))}

    assert run | targets_in_prose(PAGE) <= {target for rule in rules for target in rule.split()}


def _tests_in(file: Path) -> set[str]:
    """Return the names of a file's tests; those of a class are `Class::test`."""
    found: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found
