"""A part of an archive: the faces of a range of ids, as lines of JSON, compressed."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterable

from chalicelib.transfer.archived_face import MAX_LINE_BYTES, ArchivedFace, from_line, to_line
from chalicelib.transfer.errors import ArchiveError

MAX_FACES = 500
# Above what as many crops of the largest size take.
MAX_PART_BYTES = 192 * 1024 * 1024
# Pictures and vectors can hardly be compressed: more only undoes what base64 has added.
COMPRESSION_LEVEL = 1


def pack(faces: Iterable[ArchivedFace]) -> bytes:
    """Return the part's file; the same faces give the same bytes."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=COMPRESSION_LEVEL, mtime=0) as lines:
        for face in faces:
            lines.write(to_line(face))
    return buffer.getvalue()


def unpack(file: str, data: bytes, dimension: int) -> list[ArchivedFace]:
    """Return the faces of a part. What it takes in memory is bounded, whatever the bytes say.

    Raises
    ------
    ArchiveError
        Naming the file, and the line that is wrong.
    """
    faces: list[ArchivedFace] = []
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as lines:
        while True:
            number = len(faces) + 1
            try:
                line = lines.readline(MAX_LINE_BYTES + 1)
            except (OSError, EOFError, zlib.error):
                raise ArchiveError(f"{file} is damaged behind its line {number - 1}") from None
            if not line:
                return faces
            if len(line) > MAX_LINE_BYTES:
                raise ArchiveError(f"line {number} of {file} is longer than {MAX_LINE_BYTES} bytes")
            if number > MAX_FACES:
                raise ArchiveError(f"{file} has more than {MAX_FACES} lines")
            try:
                faces.append(from_line(line, dimension))
            except ValueError as error:
                raise ArchiveError(f"line {number} of {file} is not valid: {error}") from None
