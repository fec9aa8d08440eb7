"""Reads and writes an archive's `manifest.json`. It is written last and completes the archive."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.faces import is_token
from chalicelib.maintenance.transfer.container import Source
from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.maintenance.transfer.part import MAX_FACES, MAX_PART_BYTES

MANIFEST = "manifest.json"
FORMAT = "face-search-archive"
VERSION = 1
# A part takes some 600 bytes, with its entry in the account, so 25 million faces fit.
MAX_MANIFEST_BYTES = 32 * 1024 * 1024
# A row of the face set can hold no more.
MAX_DIMENSION = 2048
LARGEST_VERSION = 2**63 - 1
# The highest format version accepted, which keeps the number in error messages short.
MAX_VERSION = 1_000_000

_PART_FILE = re.compile(r"faces-[0-9]{5,9}\.jsonl\.gz", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_EMBEDDING_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Part:
    """A file of the archive: its name, number of faces, size in bytes, and sha256 in hexadecimal."""

    file: str
    faces: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contents of `manifest.json`.

    `dimension` is the number of values in an embedding; it and `embedding_id` mean nothing without a face.
    `created_at` is a time in ISO 8601. `face_set_version` is the face set's number of changes when the export last
    compared all faces. `left_out` lists the tokens of faces that are not in the archive: their crops are missing or
    broken, or they have no embedding.
    """

    embedding_id: str
    dimension: int
    created_at: str
    face_set_version: int
    parts: tuple[Part, ...]
    left_out: tuple[str, ...] = ()

    @property
    def faces(self) -> int:
        return sum(part.faces for part in self.parts)

    def to_json(self, account: Mapping[str, Any]) -> bytes:
        """Return the file's bytes. Only a later export reads `account`, to continue from this one."""
        fields = {"format": FORMAT, "version": VERSION, "faces": self.faces, **asdict(self), "account": account}
        return json.dumps(fields, indent=1).encode() + b"\n"


def part_file(number: int) -> str:
    return f"faces-{number:05}.jsonl.gz"


def read(source: Source) -> Manifest | None:
    """Read and check an archive's manifest; return None when the archive is missing or incomplete.

    Raises
    ------
    ArchiveError
        When the manifest is not valid, or has an unknown format version.
    """
    data = source.read(MANIFEST, MAX_MANIFEST_BYTES)
    if data is None:
        return None
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise ArchiveError(f"{MANIFEST} is damaged or not valid")
    if fields.get("format") != FORMAT:
        raise ArchiveError(f"{MANIFEST} is not from a face search archive")
    version = fields.get("version")
    if _is_count(version, MAX_VERSION) and version != VERSION:
        raise ArchiveError(
            f"the archive has version {version} of the format, but this program reads version {VERSION}: "
            "use the program that wrote the archive, or a newer one"
        )
    if not _is_valid(fields):
        raise ArchiveError(f"{MANIFEST} is damaged or not valid")
    return Manifest(
        embedding_id=fields["embedding_id"],
        dimension=fields["dimension"],
        created_at=fields["created_at"],
        face_set_version=fields["face_set_version"],
        parts=tuple(Part(part["file"], part["faces"], part["bytes"], part["sha256"]) for part in fields["parts"]),
        left_out=tuple(fields["left_out"]),
    )


def read_part(source: Source, part: Part) -> bytes:
    """Return a part's file.

    Raises
    ------
    ArchiveError
        When the file is missing or does not match the manifest.
    """
    data = source.read(part.file, part.bytes)
    if data is None:
        raise ArchiveError(f"{part.file} is missing")
    if hashlib.sha256(data).hexdigest() != part.sha256:
        raise ArchiveError(f"{part.file} is damaged: its sha256 differs from the manifest's")
    return data


def _is_valid(fields: dict[str, Any]) -> bool:
    parts, left_out = fields.get("parts"), fields.get("left_out")
    return (
        isinstance(parts, list)
        and all(isinstance(part, dict) and _is_part(part) for part in parts)
        and len({part["file"] for part in parts}) == len(parts)
        and _is_count(fields.get("version"), MAX_VERSION)
        and _is_count(fields.get("dimension"), MAX_DIMENSION)
        and _is_count(fields.get("face_set_version"), LARGEST_VERSION)
        and isinstance(fields.get("created_at"), str)
        and isinstance(left_out, list)
        and all(isinstance(token, str) and is_token(token) for token in left_out)
        # An archive without faces may have been written before the face set had a model.
        and (_matches(_EMBEDDING_ID, fields.get("embedding_id")) or (fields.get("embedding_id") == "" and not parts))
    )


def _is_part(part: dict[str, Any]) -> bool:
    faces = part.get("faces")
    return (
        _matches(_PART_FILE, part.get("file"))
        and _is_count(faces, MAX_FACES)
        and faces != 0
        and _is_count(part.get("bytes"), MAX_PART_BYTES)
        and _matches(_SHA256, part.get("sha256"))
    )


def _matches(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_count(value: Any, most: int) -> bool:
    return type(value) is int and 0 <= value <= most
