"""Measures `POST /identify` against `POST /detect`: `python -m tests.harness.benchmarks.identify`; a minute.

Needs a MySQL server, as tests/harness/benchmarks/gallery.py does, and the default pack's files in ../shared/models.
Requests go over HTTP to the stack that `make run` starts, with 100,000 faces drawn as LFW's embeddings are distributed.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import requests

from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set import schema
from chalicelib.stores.face_set.face_set import MAX_FACES_PER_ADDITION, FaceSet
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.vision.model_pack import ModelPack
from tests.e2e import pictures
from tests.e2e.local_stack import local_stack
from tests.embeddings import known_faces
from tests.harness.benchmarks import report
from tests.harness.benchmarks.spectra import drawn
from tests.harness.stress.databases import new_mysql
from tests.packs import RETAIL_FILES, retail_pack

FACES, FACES_PER_PERSON = 100_000, 20
RUNS = 31
TIMEOUT_SECONDS = 60
# The bar by the number of faces in the picture.
BARS = {1: 1.3, 20: 1.6}


def main() -> None:
    if missing := [file.name for file in RETAIL_FILES.values() if not file.exists()]:
        sys.exit(f"{', '.join(missing)} must be in {RETAIL_FILES['xml'].parent}.")
    pack = retail_pack()
    with new_mysql() as url, TemporaryDirectory() as folder:
        if url is None:
            sys.exit("There is no MySQL server on 127.0.0.1:3306, and neither mariadbd nor mysqld to start one.")
        _fill(url, pack)
        with local_stack(Path(folder) / "state", DATABASE_URL=url, MODEL_DIR=str(pack.folder)) as stack:
            rows = [_row(stack.port, count, bar) for count, bar in BARS.items()]
    report.write_section(
        "identify",
        f"{report.machine()}. MariaDB or MySQL and moto's S3 and DynamoDB on the same machine; a face set of {FACES:,} "
        f"faces of {FACES // FACES_PER_PERSON:,} people; medians of {RUNS} pairs in turn, over HTTP.\n\n"
        + report.table(("what", "bar", "measured", "detail"), rows),
    )


def _fill(url: str, pack: ModelPack) -> None:
    database = connect(url)
    schema.migrate(database)
    ModelChange(database).adopt(pack.embedding_id)
    face_set = FaceSet(database)
    faces = known_faces(drawn("LFW", FACES, 1, FACES_PER_PERSON), model=pack.embedding_id)
    for start in range(0, FACES, MAX_FACES_PER_ADDITION):
        face_set.add_many(
            [
                face._replace(name=f"person {number // FACES_PER_PERSON}")
                for number, face in enumerate(faces[start : start + MAX_FACES_PER_ADDITION], start)
            ]
        )
    database.close()


def _row(port: int, count: int, bar: float) -> tuple[str, str, str, str]:
    picture = _picture(count)

    def ask(path: str) -> int:
        files = {"image_file": ("picture", picture, "image/jpeg")}
        reply = requests.post(f"http://127.0.0.1:{port}{path}", files=files, timeout=TIMEOUT_SECONDS)
        assert reply.status_code == 200, reply.text
        return int(reply.json()["face_num"])

    assert ask("/detect") == ask("/identify") == count
    identify, detect = report.interleaved_ms([lambda: ask("/identify"), lambda: ask("/detect")], RUNS)
    ratio = identify / detect
    verdict = f"{ratio:.2f}" if ratio <= bar else f"**{ratio:.2f}**, missed"
    what = f"/identify / /detect, {count} face{'s' if count > 1 else ''}"
    return what, f"<= {bar}", verdict, f"{identify:.0f} ms against {detect:.0f}"


def _picture(count: int) -> bytes:
    """Return a picture that shows a number of faces, in rows of five."""
    if count == 1:
        return pictures.astronaut()
    rows = [np.hstack([pictures.scaled(pictures.astronaut_pixels(), 0.5)] * 5)] * (count // 5)
    return pictures.jpeg(np.vstack(rows))


if __name__ == "__main__":
    main()
