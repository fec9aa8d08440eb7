"""Packs and unpacks a part of an archive: the faces of a range of ids, as compressed lines of JSON."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator

from chalicelib.maintenance.transfer.archived_face import MAX_LINE_BYTES, ArchivedFace, from_line, to_line
from chalicelib.maintenance.transfer.errors import ArchiveError

MAX_FACES = 500
# More than MAX_FACES crops of the largest size take.
MAX_PART_BYTES = 192 * 1024 * 1024
# Pictures and vectors hardly compress: level 1 already removes base64's overhead.
COMPRESSION_LEVEL = 1
CHUNK_BYTES = 64 * 1024

_GZIP = 16 + zlib.MAX_WBITS  # makes zlib expect a gzip header


def pack(faces: Iterable[ArchivedFace]) -> bytes:
    """Return the part's file. The same faces give the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=COMPRESSION_LEVEL, mtime=0) as lines:
        for face in faces:
            lines.write(to_line(face))
    return buffer.getvalue()


def unpack(file: str, data: bytes, dimension: int) -> list[ArchivedFace]:
    """Return the faces of a part. The part's size and MAX_FACES limit time and memory, even for hostile bytes.

    Raises
    ------
    ArchiveError
        When the part is damaged or not valid; the message names the file and the faulty line.
    """
    faces: list[ArchivedFace] = []
    try:
        for number, line in enumerate(_lines(data), start=1):
            if len(line) > MAX_LINE_BYTES:
                raise ArchiveError(f"line {number} of {file} is longer than {MAX_LINE_BYTES} bytes")
            if number > MAX_FACES:
                raise ArchiveError(f"{file} has more than {MAX_FACES} lines")
            try:
                faces.append(from_line(line, dimension))
            except ValueError as error:
                raise ArchiveError(f"line {number} of {file} is not valid: {error}") from None
    except (EOFError, zlib.error):
        raise ArchiveError(f"{file} is damaged after line {len(faces)}") from None
    return faces


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of one gzip member. After a line longer than MAX_LINE_BYTES, ignore the rest.

    GzipFile would be slow here: it reads empty members, and the names in their headers, byte by byte in Python.

    Raises
    ------
    EOFError, zlib.error
        When the data are not one complete gzip member.
    """
    inflate = zlib.decompressobj(wbits=_GZIP)
    line, end = b"", 0
    while end < len(data) and not inflate.eof:
        piece = inflate.decompress(data[end : end + CHUNK_BYTES], CHUNK_BYTES)
        end += CHUNK_BYTES
        while piece:
            *lines, line = (line + piece).split(b"\n")
            yield from lines
            if len(line) > MAX_LINE_BYTES:
                yield line
            piece = inflate.decompress(inflate.unconsumed_tail, CHUNK_BYTES)
    if not inflate.eof or inflate.unused_data or end < len(data):
        raise EOFError
    if line:
        yield line
