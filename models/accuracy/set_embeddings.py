"""Embeds labelled sets; each embedding is stored on disk at once, so that an interrupted run can continue."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from chalicelib import vision
from chalicelib.faces import DetectedFace, Image
from chalicelib.vision.detector import Detector
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import ModelPack
from chalicelib.wiring import detector as build_detector
from models.accuracy.labelled_faces import LabelledSet

# The folder for embeddings, and for what else a run leaves besides its report.
SCRATCH = Path("build") / "accuracy"


class SetEmbedder:
    """Embeds one face of each picture, see LabelledSet, with the service's own detector and embedder.

    `cache` is a folder with a file for each embedding id and version of the code in chalicelib/vision.
    """

    def __init__(self, pack: ModelPack, cache: Path) -> None:
        self._detector: Detector = build_detector(pack)
        self._embedder = Embedder(pack.embedder, pack.network(pack.embedder.file))
        self._dimension = pack.embedder.dimension
        self._cache = _Cache(cache / f"{pack.embedding_id}-{_digest_of_code()}.bin", self._dimension + 1)

    def embed(self, labelled: LabelledSet) -> NDArray[np.float32]:
        """Return the calibrated embeddings, n x dimension; a row of NaN is a picture without a face."""
        return self.measure(labelled)[0]

    def measure(self, labelled: LabelledSet) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the embeddings as `embed` does, and the lengths of the network's outputs, n."""
        rows = np.stack([self._embed_one(labelled, index) for index in range(len(labelled.files))])
        return rows[:, :-1], rows[:, -1]

    def _embed_one(self, labelled: LabelledSet, index: int) -> NDArray[np.float32]:
        options = f"{labelled.pad} {labelled.central} ".encode()
        key = hashlib.sha256(options + labelled.files[index].read_bytes()).digest()
        kept = self._cache.get(key)
        if kept is None:
            image = labelled.read(index)
            faces = self._detector.detect(image)
            kept = np.full(self._dimension + 1, np.nan, np.float32)
            if faces:
                face = central_face(image, faces) if labelled.central else faces[0]
                embedded = self._embedder.measure(image, [face.landmarks])
                kept = np.append(embedded.embeddings[0], embedded.lengths[0])
            self._cache.add(key, kept)
        return kept


def central_face(image: Image, faces: list[DetectedFace]) -> DetectedFace:
    """Return the face whose box is centred nearest the middle of the image."""
    height, width = image.shape[:2]

    def distance(face: DetectedFace) -> float:
        box = face.box
        return float(np.hypot((box.left + box.right - width) / 2, (box.top + box.bottom - height) / 2))

    return min(faces, key=distance)


class _Cache:
    """A file of records, to which records are only appended.

    A record is the sha256 of the picture and its options, the embedding and its length.
    """

    def __init__(self, file: Path, numbers: int) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._record = np.dtype([("key", "V32"), ("embedding", "<f4", (numbers,))])
        self._file = file
        whole = file.stat().st_size // self._record.itemsize if file.exists() else 0
        if whole:
            with file.open("r+b") as opened:
                opened.truncate(whole * self._record.itemsize)  # an interrupted run may leave part of a record
        records = np.fromfile(file, self._record) if whole else np.zeros(0, self._record)
        self._kept: dict[bytes, NDArray[np.float32]] = {
            record["key"].tobytes(): record["embedding"].astype(np.float32) for record in records
        }

    def get(self, key: bytes) -> NDArray[np.float32] | None:
        return self._kept.get(key)

    def add(self, key: bytes, embedding: NDArray[np.float32]) -> None:
        with self._file.open("ab") as opened:
            opened.write(key + embedding.astype("<f4").tobytes())
        self._kept[key] = embedding


def _digest_of_code() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(vision.__path__[0]).glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
