"""Reads what a shared library needs from its ELF headers.

Layouts and tags are from the System V ABI's chapters "Object Files" and "Dynamic Linking", and from the Linux Standard
Base's "Symbol Versioning". Reads only 64-bit little-endian files, because Lambda runs no others.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAGIC = b"\x7fELF"
IDENTITY = b"\x7fELF\x02\x01"  # 64 bit, little-endian

PT_LOAD, PT_DYNAMIC = 1, 2
DT_NULL, DT_NEEDED, DT_STRTAB, DT_VERNEED, DT_VERNEEDNUM = 0, 1, 5, 0x6FFFFFFE, 0x6FFFFFFF

PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")  # type, flags, offset, vaddr, paddr, filesz, memsz, align
DYNAMIC = struct.Struct("<qQ")  # tag, value
VERNEED = struct.Struct("<HHIII")  # version, number of versions, file, offset of the first, offset of the next need
VERNAUX = struct.Struct("<IHHII")  # hash, flags, other, name, offset of the next


@dataclass(frozen=True, slots=True)
class Needs:
    """The requirements of a shared library.

    `machine` is e_machine, `libraries` are the names of the linked libraries, and `versions` the required symbol
    versions, like GLIBC_2.17.
    """

    machine: int
    libraries: tuple[str, ...]
    versions: tuple[str, ...]


def read_needs(data: bytes) -> Needs:
    """Return the needs of an ELF file, given its whole contents.

    Raises
    ------
    ValueError
        When the file is damaged, 32-bit or big-endian.
    """
    if not data.startswith(IDENTITY):
        raise ValueError("it is not a 64-bit little-endian ELF file")
    try:
        (machine,) = struct.unpack_from("<H", data, 18)
        (table,) = struct.unpack_from("<Q", data, 32)
        size, count = struct.unpack_from("<HH", data, 54)
        segments = [PROGRAM_HEADER.unpack_from(data, table + size * i) for i in range(count)]
        entries = list(_dynamic(data, segments))
        values = dict(entries)
        strings = _offset(values[DT_STRTAB], segments) if DT_STRTAB in values else 0
        libraries = tuple(_string(data, strings + value) for tag, value in entries if tag == DT_NEEDED)
        versions: tuple[str, ...] = ()
        if DT_VERNEED in values:
            start = _offset(values[DT_VERNEED], segments)
            versions = tuple(_versions(data, start, values[DT_VERNEEDNUM], strings))
    except (struct.error, KeyError, UnicodeDecodeError) as error:
        raise ValueError(f"its ELF headers are damaged: {error}") from error
    return Needs(machine, libraries, versions)


def _dynamic(data: bytes, segments: list[tuple[int, ...]]) -> Iterator[tuple[int, int]]:
    """Yield the tag and value of each entry in the dynamic section. A statically linked file has no entries."""
    for kind, _, offset, _, _, size, *_ in segments:
        if kind == PT_DYNAMIC:
            for at in range(offset, offset + size, DYNAMIC.size):
                tag, value = DYNAMIC.unpack_from(data, at)
                if tag == DT_NULL:
                    return
                yield tag, value


def _offset(address: int, segments: list[tuple[int, ...]]) -> int:
    """Return the file offset of the contents loaded at an address."""
    for kind, _, offset, start, _, size, *_ in segments:
        if kind == PT_LOAD and start <= address < start + size:
            return offset + address - start
    raise ValueError(f"its ELF headers are damaged: nothing is loaded at {address:#x}")


def _versions(data: bytes, need: int, count: int, strings: int) -> Iterator[str]:
    for _ in range(count):
        _, names, _, first, following = VERNEED.unpack_from(data, need)
        version = need + first
        for _ in range(names):
            *_, name, step = VERNAUX.unpack_from(data, version)
            yield _string(data, strings + name)
            version += step
        need += following


def _string(data: bytes, start: int) -> str:
    end = data.find(b"\0", start)
    if end < 0:
        raise ValueError("its ELF headers are damaged: a name has no end")
    return data[start:end].decode("ascii")
