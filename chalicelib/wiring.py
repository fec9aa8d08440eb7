"""Builds the service from its settings: the only place that knows which part stands behind which name."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.service import FaceService
from chalicelib.settings import Settings
from chalicelib.stores import aws, database
from chalicelib.stores.crops import CropStore
from chalicelib.stores.face_set import FaceSet
from chalicelib.stores.segments import SegmentStore
from chalicelib.stores.tokens import TokenStore
from chalicelib.vision.detector import Detector, Mtcnn
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import ModelPack, ModelPackError


class Wiring:
    """The collaborators of one process; `close` gives back its connections."""

    def __init__(self, settings: Settings) -> None:
        logging.getLogger("chalicelib").setLevel(settings.log_level)
        self.pack = ModelPack(Path(settings.model_dir))
        self._database = database.connect(settings.database_url)
        self.face_set = FaceSet(self._database)
        self.segments = SegmentStore(self._database)
        self.service = FaceService(
            detector(self.pack),
            Embedder(self.pack.embedder, self.pack.network(self.pack.embedder.file)),
            self.pack.embedding_id,
            TokenStore(aws.client("dynamodb"), settings.tokens_table, settings.token_ttl_seconds),
            CropStore(aws.client("s3"), settings.crops_bucket),
            self.face_set,
            MemoryGallery(self.face_set, self.segments, self.pack.embedding_id, self.pack.embedder.dimension),
        )

    def close(self) -> None:
        self._database.close()


def detector(pack: ModelPack) -> Detector:
    """Build the detector that the pack's card asks for."""
    build = _DETECTORS.get(pack.detector.kind)
    if build is None:
        raise ModelPackError(f"the card's detector kind {pack.detector.kind!r} is none of {', '.join(_DETECTORS)}")
    return build(pack)


def _mtcnn(pack: ModelPack) -> Detector:
    pnet, rnet, onet = (pack.network(pack.detector.files[role]) for role in ("pnet", "rnet", "onet"))
    return Mtcnn(pack.detector, pnet, rnet, onet)


_DETECTORS: dict[str, Callable[[ModelPack], Detector]] = {"mtcnn": _mtcnn}

_lock = threading.Lock()
_wiring: Wiring | None = None


def wiring() -> Wiring:
    """Return the process's collaborators, built when first asked for; safe when two threads ask at once."""
    global _wiring  # noqa: PLW0603  # the one piece of global state
    with _lock:
        if _wiring is None:
            _wiring = Wiring(Settings.from_environment(os.environ))
        return _wiring


def reset() -> None:
    """Forget and close them, for tests and for a server that shuts down."""
    global _wiring  # noqa: PLW0603
    with _lock:
        if _wiring is not None:
            _wiring.close()
        _wiring = None
