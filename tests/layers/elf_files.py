"""Shared libraries of a few hundred bytes, with the headers that a test needs and no code."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence

X86_64 = 62
AARCH64 = 183

# Load address of a file's first segment. It differs from the segment's offset, 0, so that a mix-up shows.
LOADED_AT = 0x4000
HEADERS = 64 + 2 * 56


def shared_library(
    machine: int, libraries: Sequence[str] = (), versions: Mapping[str, Sequence[str]] | None = None
) -> bytes:
    """Return an ELF file that links `libraries` and needs symbol `versions`, given by library."""
    strings = b"\0"

    def text(value: str) -> int:
        nonlocal strings
        strings += value.encode() + b"\0"
        return len(strings) - len(value) - 1

    needed = [(1, text(library)) for library in libraries]
    needs = b""
    for i, (library, names) in enumerate((versions or {}).items()):
        following = 0 if i == len(versions or {}) - 1 else 16 + 16 * len(names)
        needs += struct.pack("<HHIII", 1, len(names), text(library), 16, following)
        for j, name in enumerate(names):
            needs += struct.pack("<IHHII", 0, 0, 2, text(name), 0 if j == len(names) - 1 else 16)
    at_needs = HEADERS
    at_strings = at_needs + len(needs)
    at_dynamic = at_strings + len(strings)
    entries = [*needed, (5, LOADED_AT + at_strings)]
    if versions:
        entries += [(0x6FFFFFFE, LOADED_AT + at_needs), (0x6FFFFFFF, len(versions))]
    dynamic = b"".join(struct.pack("<qQ", *entry) for entry in [*entries, (0, 0)])
    size = at_dynamic + len(dynamic)
    identity = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = identity + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    load = struct.pack("<IIQQQQQQ", 1, 5, 0, LOADED_AT, LOADED_AT, size, size, 4096)
    dynamic_header = struct.pack(
        "<IIQQQQQQ", 2, 6, at_dynamic, LOADED_AT + at_dynamic, LOADED_AT + at_dynamic, len(dynamic), len(dynamic), 8
    )
    return header + load + dynamic_header + needs + strings + dynamic
