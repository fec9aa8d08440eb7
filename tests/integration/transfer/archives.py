"""Read archives and face sets in tests, and change archives as someone who knows the format could."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from typing import Any

from chalicelib.maintenance.transfer import manifest
from chalicelib.maintenance.transfer.container import Container
from chalicelib.stores.aws.crops import Crop
from chalicelib.stores.face_set.exported_faces import LARGEST_ID, ExportedFaces
from infra.local.archive_file import Folder
from tests.integration.two_packs import Process


def everything(process: Process) -> list[tuple[Any, ...]]:
    """Return everything that the service stores about its faces, except the names of their crops."""
    known = ExportedFaces(process.parts.database).page(process.active, 0, LARGEST_ID, 10_000)
    crops = process.parts.crops.read_many([face.crop for face in known])
    return [
        (
            face.token,
            face.name,
            face.face_set,
            face.added_at,
            None if face.embedding is None else face.embedding.tobytes(),
            *of(crop),
        )
        for face, crop in zip(known, crops, strict=True)
    ]


def of(crop: Crop | None) -> tuple[Any, ...]:
    assert crop is not None
    return crop.jpeg, None if crop.landmarks is None else crop.landmarks.tobytes(), crop.detector_id


def parts_of(container: Container) -> tuple[manifest.Part, ...]:
    whole = manifest.read(container)
    assert whole is not None
    return whole.parts


def records(folder: Folder) -> list[dict[str, Any]]:
    """Return the archive's faces, read without the code that wrote them."""
    whole = json.loads((folder.path / "manifest.json").read_text())
    lines = [
        line
        for part in whole["parts"]
        for line in gzip.decompress((folder.path / part["file"]).read_bytes()).splitlines()
    ]
    return [json.loads(line) for line in lines]


def rewrite(archive: Folder, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    lines = [json.dumps(record).encode() + b"\n" for record in change(records(archive))]
    replace_part(archive, gzip.compress(b"".join(lines)))


def replace_part(archive: Folder, data: bytes) -> None:
    """Replace the only part, as someone who knows the format could."""
    archive.write("faces-00001.jsonl.gz", data)
    whole = json.loads((archive.path / "manifest.json").read_text())
    whole["parts"][0] |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    archive.write("manifest.json", json.dumps(whole).encode())
