"""Repetitive archives of up to about SIZE bytes, made to cost a reader more than honest ones of that size."""

from __future__ import annotations

import base64
import gzip
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

from tests.integration.transfer.damage import PART, Files, with_part, zipped

SIZE = 1_000_000
MEGABYTE = 1_000_000

Archive = bytes | Files
HOSTILE: dict[str, Callable[[Files], Archive]] = {}


def _hostile(make: Callable[[Files], Archive]) -> Callable[[Files], Archive]:
    HOSTILE[make.__name__] = make
    return make


def _padded(raw: bytes) -> bytes:
    """Return a gzip member that contains these raw deflate bytes."""
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + raw


def _compressed(piece: bytes, times: int) -> bytes:
    """Return a gzip file of one piece repeated many times."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH)
    end = deflate.flush() + struct.pack("<LL", zlib.crc32(piece * times), len(piece) * times)
    return _padded(block * times + end)


@_hostile
def a_line_without_end(files: Files) -> Archive:
    return with_part(files, _compressed(b" " * MEGABYTE, 200))


@_hostile
def millions_of_empty_lines(files: Files) -> Archive:
    return with_part(files, _compressed(b"\n" * MEGABYTE, 200))


@_hostile
def members_of_gzip_without_contents(files: Files) -> Archive:
    member = gzip.compress(b"", 9)
    return with_part(files, member * (SIZE // len(member)) + files[PART])


@_hostile
def a_name_without_end_in_the_header_of_gzip(files: Files) -> Archive:
    return with_part(files, b"\x1f\x8b\x08\x08\0\0\0\0\0\xff" + b"x" * SIZE)


@_hostile
def blocks_of_deflate_without_contents(files: Files) -> Archive:
    return with_part(files, _padded(b"\0\0\0\xff\xff" * (SIZE // 5)))


@_hostile
def deep_json_in_a_line(files: Files) -> Archive:
    return with_part(files, gzip.compress(b"[" * 500_000 + b"\n", 0))


@_hostile
def many_fields_in_each_line(files: Files) -> Archive:
    """Valid faces, each padded to nearly the longest line; the last face is not valid."""
    [first, *_] = gzip.decompress(files[PART]).splitlines()
    record = json.loads(first)
    padding = {f"{number:x}": number for number in range(30_000)}
    lines = [json.dumps(record | padding | {"face_token": f"{n:024}"}).encode() + b"\n" for n in range(10)]
    return with_part(files, gzip.compress(b"".join([*lines, b"{}\n"]), 1))


@_hostile
def landmarks_without_end(files: Files) -> Archive:
    [first, *_] = gzip.decompress(files[PART]).splitlines()
    record = json.loads(first) | {"landmarks": [[1] * 2] * 60_000}
    return with_part(files, gzip.compress(json.dumps(record).encode() + b"\n", 0))


@_hostile
def crops_of_many_scans(files: Files) -> Archive:
    """Faces with the largest crops, coded one coefficient per scan; the last face is not valid."""
    [first, *_] = gzip.decompress(files[PART]).splitlines()
    record = json.loads(first) | {"crop": base64.b64encode(_many_scans()).decode()}
    lines = [json.dumps(record | {"face_token": f"{n:024}"}).encode() + b"\n" for n in range(100)]
    return with_part(files, gzip.compress(b"".join([*lines, b"{}\n"]), 9))


def _many_scans() -> bytes:
    """Return a progressive greyscale JPEG of 320 x 320 px. Its last 63 scans contain only ends of runs."""
    table = bytes([0, 1] + [0] * 15)  # one code, one bit long

    def segment(marker: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    blocks = 40 * 40
    # The first scan has a bit 0 per block: no difference. In the other scans, code 0xE0 ends a run of 2 ** 14 blocks.
    scans = [segment(0xDA, bytes([1, 1, 0x00, 0, 0, 0])) + bytes(blocks // 8)]
    scans += [segment(0xDA, bytes([1, 1, 0x00, k, k, 0])) + b"\0" * (blocks // 8) for k in range(1, 64)]
    return (
        b"\xff\xd8"
        + segment(0xDB, bytes([0] + [1] * 64))
        + segment(0xC2, struct.pack(">BHHB", 8, 320, 320, 1) + bytes([1, 0x11, 0]))
        + segment(0xC4, bytes([0x00]) + table[1:] + b"\0")
        + segment(0xC4, bytes([0x10]) + table[1:] + b"\0")
        + b"".join(scans)
        + b"\xff\xd9"
    )


def _broken(files: Files) -> Files:
    """Return an archive that is refused only after everything else in it was read."""
    return files | {PART: b"broken"}


def _manifest(text: bytes) -> Callable[[Files], Archive]:
    return lambda files: files | {"manifest.json": text}


def _odd_parts(files: Files) -> Archive:
    manifest = json.loads(files["manifest.json"])
    part = manifest["parts"][0]
    many = [part | {"file": f"faces-{n:05}.jsonl.gz"} for n in range(SIZE // 170)]
    return files | {"manifest.json": json.dumps(manifest | {"parts": [*many, {}]}).encode()}


def _left_out(files: Files) -> Archive:
    manifest = json.loads(files["manifest.json"])
    return files | {
        "manifest.json": json.dumps(manifest | {"left_out": ["x" * 24] * (SIZE // 28)} | {"parts": 1}).encode()
    }


HOSTILE |= {
    "a manifest of brackets": _manifest(b"[" * SIZE),
    "a manifest of lists": _manifest(b"[" + b"[]," * (SIZE // 3) + b"[]]"),
    "a manifest of objects": _manifest(b'{"parts":[' + b"{}," * (SIZE // 3) + b"{}]}"),
    "a manifest of digits": _manifest(b'{"version":' + b"9" * SIZE + b"}"),
    "a manifest of decimals": _manifest(b'{"version":0.' + b"9" * SIZE + b"}"),
    "a manifest of one name": _manifest(b'{"' + b"x" * SIZE + b'":1}'),
    "a manifest of escapes": _manifest(b'{"format":"' + b"\\ud800" * (SIZE // 6) + b'"}'),
    "a manifest of spaces": _manifest(b" " * SIZE),
    "a manifest of names": lambda files: (
        files | {"manifest.json": b"{" + b"".join(b'"%d":1,' % n for n in range(SIZE // 10)) + b'"format":1}'}
    ),
    "a manifest of parts": _odd_parts,
    "a manifest of faces that are left out": _left_out,
}


@_hostile
def a_zip_of_a_manifest_that_grows(files: Files) -> Archive:
    return zipped(files | {"manifest.json": b" " * (30 * MEGABYTE)}, zipfile.ZIP_DEFLATED)


@_hostile
def a_zip_of_a_part_that_grows(files: Files) -> Archive:
    part = gzip.compress(b"", 9) * (150 * MEGABYTE // 20)
    return zipped(with_part(files, part), zipfile.ZIP_DEFLATED)


@_hostile
def a_zip_of_a_part_that_grows_twice(files: Files) -> Archive:
    return zipped(with_part(files, _compressed(b" " * MEGABYTE, 200)), zipfile.ZIP_DEFLATED)


@_hostile
def a_zip_that_lies_about_sizes(files: Files) -> Archive:
    """Claims that a manifest of 30 MB has 600 bytes."""
    data = zipped(files | {"manifest.json": b" " * (30 * MEGABYTE)}, zipfile.ZIP_DEFLATED)
    return data.replace(struct.pack("<L", 30 * MEGABYTE), struct.pack("<L", 600))


@_hostile
def a_zip_of_thousands_of_members(files: Files) -> Archive:
    return zipped(_broken(files) | {f"{number}": b"" for number in range(SIZE // 100)})


@_hostile
def a_zip_of_huge_names(files: Files) -> Archive:
    return zipped(_broken(files) | {f"{number}".ljust(60_000, "x"): b"" for number in range(SIZE // 120_000)})


@_hostile
def a_zip_of_huge_extra_fields(files: Files) -> Archive:
    return _zip_with(files, extra=struct.pack("<HH", 0x9999, 0) * 16_000)


@_hostile
def a_zip_of_huge_comments(files: Files) -> Archive:
    return _zip_with(files, comment=b"PK\5\6" * 16_000)


def _zip_with(files: Files, **fields: Any) -> bytes:
    """Return a zip with the same fields in each of many entries."""
    buffer = io.BytesIO(zipped(_broken(files)))
    with zipfile.ZipFile(buffer, "a") as packed:
        for number in range(SIZE // 128_000):
            entry = zipfile.ZipInfo(f"{number}")
            for field, value in fields.items():
                setattr(entry, field, value)
            packed.writestr(entry, b"")
    return buffer.getvalue()


def size_of(archive: Archive) -> int:
    return len(archive) if isinstance(archive, bytes) else sum(len(data) for data in archive.values())
