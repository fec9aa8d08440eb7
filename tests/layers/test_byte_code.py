"""Byte code is used without checks, names the deployed path and is reproducible."""

from __future__ import annotations

import importlib.util
import marshal
import platform
import struct
import sys
from pathlib import Path

import pytest

from infra.deploy.layers import byte_code
from infra.deploy.layers.errors import LayerError

HERE = ".".join(platform.python_version_tuple()[:2])
SOURCE = "NAMES = {'b', 'a', 'c'}\ndef known(name):\n    return name in {'ada', 'grace', 'edsger', 'barbara'}\n"
# The second field of a pyc: bit 0 set for a hash, and bit 1 clear, so Python does not check the source (PEP 552).
UNCHECKED_HASH = 0b01


def _tree(folder: Path) -> Path:
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "module.py").write_text(SOURCE)
    return folder


def _compiled(tree: Path) -> bytes:
    return Path(importlib.util.cache_from_source(str(tree / "package" / "module.py"))).read_bytes()


def test_byte_code_is_not_checked_against_its_source(tmp_path: Path) -> None:
    byte_code.compile_modules(_tree(tmp_path), sys.executable)

    assert struct.unpack_from("<I", _compiled(tmp_path), 4) == (UNCHECKED_HASH,)


def test_tracebacks_name_the_deployed_path(tmp_path: Path) -> None:
    byte_code.compile_modules(_tree(tmp_path), sys.executable)

    assert marshal.loads(_compiled(tmp_path)[16:]).co_filename == "/opt/python/package/module.py"  # noqa: S302 - own file


def test_the_same_modules_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = _tree(tmp_path / "first"), _tree(tmp_path / "second")

    for tree in (first, second):
        byte_code.compile_modules(tree, sys.executable)

    assert _compiled(first) == _compiled(second)


def test_a_module_that_does_not_compile_is_named(tmp_path: Path) -> None:
    (_tree(tmp_path) / "package" / "broken.py").write_text("def\n")

    with pytest.raises(LayerError, match=r"broken\.py"):
        byte_code.compile_modules(tmp_path, sys.executable)


def test_the_running_python_is_used_for_its_own_version() -> None:
    assert byte_code.interpreter(HERE) == sys.executable


def test_an_interpreter_is_found_among_pyenvs_versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = tmp_path / "versions" / "3.99.1" / "bin" / "python3.99"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\necho 3.99\n")
    command.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    assert byte_code.interpreter("3.99") == str(command)


def test_a_command_that_does_not_run_is_skipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")

    assert byte_code.interpreter("3.99") is None
