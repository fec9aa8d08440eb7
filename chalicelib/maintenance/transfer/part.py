"""A part of an archive: the faces of a range of ids, as lines of JSON, compressed."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator

from chalicelib.maintenance.transfer.archived_face import MAX_LINE_BYTES, ArchivedFace, from_line, to_line
from chalicelib.maintenance.transfer.errors import ArchiveError

MAX_FACES = 500
# Above what as many crops of the largest size take.
MAX_PART_BYTES = 192 * 1024 * 1024
# Pictures and vectors can hardly be compressed: more only undoes what base64 has added.
COMPRESSION_LEVEL = 1
CHUNK_BYTES = 64 * 1024

_GZIP = 16 + zlib.MAX_WBITS  # zlib's way to say that there is a header of gzip's


def pack(faces: Iterable[ArchivedFace]) -> bytes:
    """Return the part's file; the same faces give the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=COMPRESSION_LEVEL, mtime=0) as lines:
        for face in faces:
            lines.write(to_line(face))
    return buffer.getvalue()


def unpack(file: str, data: bytes, dimension: int) -> list[ArchivedFace]:
    """Return the faces of a part. Time and memory are bounded by its size and MAX_FACES, whatever the bytes say.

    Raises
    ------
    ArchiveError
        Naming the file, and the line that is wrong.
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
        raise ArchiveError(f"{file} is damaged behind its line {len(faces)}") from None
    return faces


def _lines(data: bytes) -> Iterator[bytes]:
    """Yield the lines of one gzip member; what follows the first one that is longer than MAX_LINE_BYTES means nothing.

    Not by GzipFile: it reads members without contents and the names in their headers byte by byte in Python.

    Raises
    ------
    EOFError, zlib.error
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
