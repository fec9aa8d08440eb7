"""Finds remaining bytes of a face in databases, files, DynamoDB, S3 and a process's memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from chalicelib.gallery.codes import encode
from chalicelib.stores.database.base import Database
from chalicelib.stores.embedding_bytes import from_bytes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

# Freeing memory overwrites its beginning, so only a part may remain. A part is long enough to identify one face.
PART_BYTES = 48
STEP_BYTES = 64


@dataclass(frozen=True)
class Bytes:
    """Parts of a face's vector, of its code in the gallery and of its crop, by these names."""

    parts: Mapping[str, tuple[bytes, ...]]

    @classmethod
    def of(cls, embedding: bytes, jpeg: bytes) -> Bytes:
        [coded] = encode(np.zeros(1, np.int64), from_bytes(embedding)[None])
        # Only the JPEG's picture data, because every picture has the same tables.
        whole = {"embedding": embedding, "code": coded.codes.tobytes(), "crop": jpeg[len(jpeg) // 2 :]}
        return cls({name: tuple(_parts(data)) for name, data in whole.items()})

    def within(self, data: bytes) -> set[str]:
        """Return the names of the parts that data contains."""
        return {name for name, parts in self.parts.items() if any(part in data for part in parts)}


def in_database(sought: Bytes, database: Database) -> set[str]:
    """Search all columns of all tables."""
    listing = "SELECT name FROM sqlite_master WHERE type = 'table'" if database.dialect == "sqlite" else "SHOW TABLES"
    found = set()
    for (table,) in database.read(listing):
        for row in database.read(f"SELECT * FROM {table}"):  # noqa: S608  # a table's own name
            for value in row:
                data = value if isinstance(value, bytes) else str(value).encode()
                found |= {f"{name} in the table {table}" for name in sought.within(data)}
    return found


def in_files(sought: Bytes, folder: Path, pattern: str) -> set[str]:
    return {
        f"{name} in the file {path.name}"
        for path in folder.rglob(pattern)
        if path.is_file()
        for name in sought.within(path.read_bytes())
    }


def in_dynamodb(sought: Bytes, client: DynamoDBClient, table: str) -> set[str]:
    found = set()
    for page in client.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            for value in item.values():
                data = value.get("B", b"")
                found |= {f"{name} in DynamoDB" for name in sought.within(bytes(data))}
    return found


def in_s3(sought: Bytes, client: S3Client, bucket: str) -> set[str]:
    found = set()
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for item in page.get("Contents", []):
            data = client.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            found |= {f"{name} in S3" for name in sought.within(data)}
    return found


def in_memory(sought: Bytes, pid: int) -> dict[str, int]:
    """Return how many of the sought parts are in a process's writable memory; Linux only."""
    counts = dict.fromkeys(sought.parts, 0)
    for data in _memory(pid):
        for name, parts in sought.parts.items():
            counts[name] += sum(data.count(part) for part in parts)
    return counts


def _memory(pid: int) -> Iterator[bytes]:
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line)
            if match is None or line.endswith(("[vvar]", "[vsyscall]")):
                continue
            first, end = (int(number, 16) for number in match.groups())
            memory.seek(first)
            try:
                yield memory.read(end - first)
            except OSError:  # the region was freed meanwhile
                continue


def _parts(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data) - PART_BYTES + 1, STEP_BYTES):
        part = data[start : start + PART_BYTES]
        if len(set(part)) > PART_BYTES // 4:
            yield part
