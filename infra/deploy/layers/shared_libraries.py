"""Checks that every shared library in a tree can be loaded on the target."""

from __future__ import annotations

import re
from pathlib import Path

from infra.deploy.layers import elf
from infra.deploy.layers.errors import LayerError
from infra.deploy.layers.target import Target

# Libraries assumed to be in the runtime, not verified on AWS: glibc's, GCC's two, and zlib, which Python's own module
# links. The manylinux policy (PEP 600) allows wheels to link more, such as libX11, which a system without a display
# does not have.
IN_THE_RUNTIME = frozenset(
    {
        "ld-linux-aarch64.so.1",
        "ld-linux-x86-64.so.2",
        "libc.so.6",
        "libdl.so.2",
        "libgcc_s.so.1",
        "libm.so.6",
        "libpthread.so.0",
        "librt.so.1",
        "libstdc++.so.6",
        "libutil.so.1",
        "libz.so.1",
    }
)

# Symbol versions that show how new a system must be. Versions with letters, like GLIBC_PRIVATE, do not.
NUMBERED = re.compile(r"(GLIBC|GLIBCXX|CXXABI)_([0-9.]+)")


def check(tree: Path, target: Target) -> None:
    """Check every ELF file in the tree, regardless of its name.

    Raises
    ------
    LayerError
        With a line for each problem: a damaged file, another architecture, the need for a newer system, or a linked
        library that is neither in the tree nor in the runtime.
    """
    files = sorted(path for path in tree.rglob("*") if path.is_file())
    inside = {path.name for path in files}
    problems = []
    for path in files:
        data = path.read_bytes() if _is_elf(path) else b""
        if data:
            problems += [f"{path.relative_to(tree)}: {problem}" for problem in _problems(data, target, inside)]
    if problems:
        raise LayerError(f"these files cannot be loaded by {target}:\n  " + "\n  ".join(problems) + "\n")


def _problems(data: bytes, target: Target, inside: set[str]) -> list[str]:
    try:
        needs = elf.read_needs(data)
    except ValueError as error:
        return [str(error)]
    if needs.machine != target.machine:
        return [f"it has the wrong architecture: ELF machine {needs.machine}, not {target.machine}"]
    problems = [
        f"it links {library}, which is neither in the layer nor in the runtime"
        for library in needs.libraries
        if library not in inside | IN_THE_RUNTIME
    ]
    newest: dict[str, tuple[int, ...]] = {}
    for version in needs.versions:
        if match := NUMBERED.fullmatch(version):
            number = tuple(map(int, match[2].split(".")))
            newest[match[1]] = max(number, newest.get(match[1], ()))
    for name, number in newest.items():
        if number > target.provides[name]:
            problems.append(f"it needs {name}_{_dotted(number)}, but the target has {_dotted(target.provides[name])}")
    return problems


def _is_elf(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(elf.MAGIC)) == elf.MAGIC


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
