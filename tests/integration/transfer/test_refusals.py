"""Anything but an archive of this face set is refused with a reason, and nothing of it is added."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

import numpy as np
import pytest

from chalicelib.maintenance.transfer import commands
from chalicelib.maintenance.transfer.errors import ArchiveError
from infra.local.archive_file import Folder
from tests.integration.transfer.archives import records, replace_part, rewrite
from tests.integration.transfer.conftest import Sites
from tests.integration.two_packs import UNIT
from tests.pictures import jpeg


def blank(width: int, height: int) -> bytes:
    return jpeg(np.zeros((height, width, 3), np.uint8))


class TestRefused:
    @pytest.fixture
    def archive(self, site: Sites, folder: Folder) -> Folder:
        process = site("source")
        process.add(range(2))
        commands.export_to(process.parts, folder)
        return folder

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"face_token": "../../etc/passwd"}, "face_token"),
            ({"face_token": None}, "face_token"),
            ({"face_name": ""}, "face_name"),
            ({"face_name": "x" * 256}, "face_name"),
            ({"face_name": "\ud800"}, "face_name"),
            ({"face_set": "a/b"}, "face_set"),
            ({"face_set": ".."}, "face_set"),
            ({"added_at": "yesterday"}, "added_at"),
            ({"added_at": 1}, "added_at"),
            ({"embedding": "AAAA"}, "embedding must be 128 numbers"),
            ({"embedding": "not base64!"}, "embedding must be base64"),
            ({"embedding": base64.b64encode(b"\0\0\xc0\x7f" * 128).decode()}, "embedding must be finite"),
            ({"crop": base64.b64encode(b"MZ not a picture").decode()}, "crop must be a whole JPEG"),
            ({"crop": base64.b64encode(b"\xff\xd8\xff" + b"\0" * 400_000).decode()}, "line 1 of .* is longer"),
            ({"crop": base64.b64encode(b"\xff\xd8\xff" + b"\0" * 350_000).decode()}, "crop must have at most"),
            ({"crop": base64.b64encode(blank(321, 20)).decode()}, "crop must be a whole JPEG of at most 320 px"),
            ({"crop": base64.b64encode(blank(320, 20)[:-2]).decode()}, "crop must be a whole JPEG"),
            ({"landmarks": [[1, 2]]}, "landmarks"),
            ({"landmarks": [[1, 2]] * 4 + [[1, float("nan")]]}, "landmarks"),
            ({"landmarks": [["a", "b"]] * 5}, "landmarks"),
            ({"landmarks": {"a": 1}}, "landmarks"),
            ({"detector_id": "a\r\nX-Amz-Acl: public-read"}, "detector_id"),
        ],
    )
    def test_an_invalid_face_is_refused(
        self, site: Sites, archive: Folder, changes: dict[str, Any], reason: str
    ) -> None:
        rewrite(archive, lambda lines: [{**lines[0], **changes}, lines[1]])

        self.refused(site, archive, reason)

    @pytest.mark.parametrize("line", [b"[]", b"{", b"[" * 100_000, b'"\xff"', b"9" * 100_000])
    def test_a_line_that_is_not_an_object_is_refused(self, site: Sites, archive: Folder, line: bytes) -> None:
        replace_part(archive, gzip.compress(line + b"\n"))

        self.refused(site, archive, "line 1 of faces-00001.jsonl.gz is not valid: the line is not a JSON object")

    def test_a_repeated_face_is_refused(self, site: Sites, archive: Folder) -> None:
        rewrite(archive, lambda lines: [lines[0], lines[0]])

        self.refused(site, archive, "a face_token twice")

    def test_fewer_faces_than_the_manifest_says_are_refused(self, site: Sites, archive: Folder) -> None:
        rewrite(archive, lambda lines: lines[:1])

        self.refused(site, archive, "has 1 faces, but the manifest says 2")

    def test_decompression_bombs_of_one_line_and_of_many_are_refused(self, site: Sites, archive: Folder) -> None:
        whole_line = json.dumps(records(archive)[0]).encode() + b"\n"
        replace_part(archive, gzip.compress(b"x" * 200_000_000, 1))
        self.refused(site, archive, "line 1 of .* is longer than")

        replace_part(archive, gzip.compress(whole_line * 501, 1))
        self.refused(site, archive, "has more than 500 lines")

    def test_bytes_with_another_sha256_than_the_manifests_are_refused(self, site: Sites, archive: Folder) -> None:
        file = archive.path / "faces-00001.jsonl.gz"
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        self.refused(site, archive, "its sha256 differs from the manifest's")

        file.write_bytes(bytes(data) + b"\0")
        self.refused(site, archive, "has more than")

        file.unlink()
        self.refused(site, archive, r"faces-00001\.jsonl\.gz is missing")

    def test_a_truncated_part_is_refused(self, site: Sites, archive: Folder) -> None:
        data = (archive.path / "faces-00001.jsonl.gz").read_bytes()
        for broken in (data[: len(data) // 2], b"no gzip at all", data[:-8] + b"\0" * 8):
            replace_part(archive, broken)
            self.refused(site, archive, "is damaged after line")

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"format": "another"}, "not from a face search archive"),
            ({"version": 2}, "version 2 of the format"),
            ({"dimension": 4}, "dimensions"),
            ({"dimension": 10**9}, "not valid"),
            ({"dimension": True}, "not valid"),
            ({"embedding_id": "a/b"}, "not valid"),
            ({"embedding_id": "unknown-128-0123456789ab"}, "no pack beside MODEL_DIR"),
            ({"parts": [{"file": "../secret", "faces": 1, "bytes": 1, "sha256": "0" * 64}]}, "not valid"),
            (
                {"parts": [{"file": "faces-00001.jsonl.gz", "faces": 10**9, "bytes": 1, "sha256": "0" * 64}]},
                "not valid",
            ),
            ({"parts": [{"file": "faces-00001.jsonl.gz", "faces": 1, "bytes": 10**12, "sha256": "0" * 64}]}, "valid"),
            ({"parts": [{"file": "faces-00001.jsonl.gz", "faces": 1, "bytes": 1, "sha256": "0" * 64}] * 2}, "valid"),
            ({"parts": "all"}, "not valid"),
        ],
    )
    def test_an_invalid_manifest_is_refused(
        self, site: Sites, archive: Folder, changes: dict[str, Any], reason: str
    ) -> None:
        file = archive.path / "manifest.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))

        self.refused(site, archive, reason)

    def test_an_archive_of_another_model_is_refused(self, site: Sites, archive: Folder) -> None:
        target = site("target")
        target.add(range(10, 12))
        target.re_embed(UNIT)

        with pytest.raises(ArchiveError, match="make re-embed"):
            commands.import_from(target.parts, archive)

        assert target.parts.face_set.count() == 2

    def test_an_empty_face_set_adopts_the_archives_model(self, site: Sites, archive: Folder) -> None:
        target = site("target")
        [face] = target.add(range(1))
        target.re_embed(UNIT)
        target.remove(face.token)

        commands.import_from(target.parts, archive)

        assert target.active == target.embedding_id("dlib")

    def refused(self, site: Sites, archive: Folder, reason: str) -> None:
        target = site("target")
        with pytest.raises(ArchiveError, match=reason):
            commands.import_from(target.parts, archive)
        assert target.parts.face_set.count() == 0
