"""Builds the service from its settings: the only place that knows which part stands behind which name."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from chalicelib.face_directory import FaceDirectory
from chalicelib.gallery.gallery import Gallery
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.logs import on_lambda
from chalicelib.measured import MeasuredDetector, MeasuredGallery
from chalicelib.removal import Removal
from chalicelib.service import FaceService
from chalicelib.serving import Serving
from chalicelib.settings import Settings, current_settings
from chalicelib.stores import aws, database
from chalicelib.stores.crops import CropStore
from chalicelib.stores.face_listing import FaceListing
from chalicelib.stores.face_set import FaceSet
from chalicelib.stores.face_set_names import FaceSetNames
from chalicelib.stores.model_change import ModelChange
from chalicelib.stores.segments import SegmentStore
from chalicelib.stores.tokens import TokenStore
from chalicelib.transfer.export_folder import ExportFolder
from chalicelib.vision.detector import Detector
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model import Model
from chalicelib.vision.model_pack import ModelPack, ModelPackError
from chalicelib.vision.mtcnn import Mtcnn
from chalicelib.vision.pack_folder import PackFolder
from chalicelib.vision.turned import TurnedDetector
from chalicelib.vision.yunet import Yunet

if TYPE_CHECKING:
    from chalicelib.vector_wiring import VectorWiring


class Wiring:
    """The collaborators of one process, each built when first asked for; `close` gives back its connections."""

    def __init__(self, settings: Settings) -> None:
        logging.getLogger("chalicelib").setLevel(settings.log_level)
        self._settings = settings
        self._lock = threading.Lock()
        self._crops: CropStore | None = None
        self._tokens: TokenStore | None = None
        self.packs = PackFolder(Path(settings.model_dir), settings.smallest_face_px, sealed=on_lambda())
        # None of these connects before it is used.
        self.database = database.connect(settings.database_url)
        self.vectors = self._vectors()
        self.face_set = (
            FaceSet(self.database, changed=self.vectors.try_at_once) if self.vectors else FaceSet(self.database)
        )
        self.face_set_names = FaceSetNames(self.database)
        self.face_listing = FaceListing(self.database)
        self.segments = SegmentStore(self.database)
        self.model_change = ModelChange(self.database)
        self.serving = Serving(self.packs, self.model_change, self._build_service)

    @property
    def crops(self) -> CropStore:
        with self._lock:  # two threads may ask at once
            if self._crops is None:
                self._crops = CropStore(aws.client("s3"), self._settings.crops_bucket)
            return self._crops

    @property
    def tokens(self) -> TokenStore:
        with self._lock:
            if self._tokens is None:
                settings = self._settings
                self._tokens = TokenStore(aws.client("dynamodb"), settings.tokens_table, settings.token_ttl_seconds)
            return self._tokens

    @property
    def removal(self) -> Removal:
        return Removal(self.face_listing, self.face_set_names, self.face_set, self.tokens, self.crops)

    @property
    def face_directory(self) -> FaceDirectory:
        listing, names = self.face_listing, self.face_set_names
        return FaceDirectory(listing, names, self.face_set, self.crops, deployed=on_lambda())

    def export_folder(self, name: str) -> ExportFolder:
        """Return where the archive of this name is in S3."""
        return ExportFolder(aws.client("s3"), self._settings.crops_bucket, name)

    def close(self) -> None:
        self.database.close()

    def _vectors(self) -> VectorWiring | None:
        if self._settings.gallery != "s3vectors":
            return None
        # Cold starts count: it is nothing to those who do not use it.
        from chalicelib.vector_wiring import VectorWiring

        return VectorWiring(self.database, self._settings.vector_bucket)

    def _build_service(self, pack: ModelPack) -> FaceService:
        with ThreadPoolExecutor(max_workers=1) as beside:
            loading = beside.submit(model, pack)
            tokens, crops = self.tokens, self.crops
        loaded = loading.result()
        return FaceService(
            loaded._replace(detector=MeasuredDetector(loaded.detector)),
            tokens,
            crops,
            self.face_set,
            self.face_set_names,
            MeasuredGallery(self._gallery(pack)),
        )

    def _gallery(self, pack: ModelPack) -> Gallery:
        embedding_id, dimension = pack.embedding_id, pack.embedder.dimension
        memory = MemoryGallery(self.face_set, self.segments, embedding_id, dimension)
        return memory if self.vectors is None else self.vectors.gallery(memory, embedding_id, dimension)


def model(pack: ModelPack) -> Model:
    """Load a pack's networks."""
    embedder = Embedder(pack.embedder, pack.network(pack.embedder.file))
    return Model(pack.embedding_id, pack.detector_id, pack.detector.smallest_face, detector(pack), embedder)


def detector(pack: ModelPack) -> Detector:
    """Build the detector that the pack's card asks for; it finds faces that lie on their side too."""
    # Of true faces 98 % are this certain when turned, and of what a cat's fur looks like none.
    least_confidence = 1 - (1 - pack.detector.thresholds[-1]) * 2 / 3
    return TurnedDetector(upright_detector(pack), least_confidence)


def upright_detector(pack: ModelPack) -> Detector:
    """Build the detector that the pack's card asks for, as it looks at a picture that stands."""
    build = _DETECTORS.get(pack.detector.kind)
    if build is None:
        raise ModelPackError(f"the card's detector kind {pack.detector.kind!r} is none of {', '.join(_DETECTORS)}")
    return build(pack)


def _mtcnn(pack: ModelPack) -> Detector:
    pnet, rnet, onet = (pack.network(pack.detector.files[role]) for role in ("pnet", "rnet", "onet"))
    return Mtcnn(pack.detector, pnet, rnet, onet)


def _yunet(pack: ModelPack) -> Detector:
    return Yunet(pack.detector, pack.network(pack.detector.files["yunet"]))


_DETECTORS: dict[str, Callable[[ModelPack], Detector]] = {"mtcnn": _mtcnn, "yunet": _yunet}

_lock = threading.Lock()
_wiring: Wiring | None = None


def wiring() -> Wiring:
    """Return the process's collaborators, built when first asked for; safe when two threads ask at once."""
    global _wiring  # noqa: PLW0603  # the one piece of global state
    with _lock:
        if _wiring is None:
            _wiring = Wiring(current_settings())
        return _wiring


def reset() -> None:
    """Forget and close them, for tests and for a server that shuts down."""
    global _wiring  # noqa: PLW0603  # as above
    with _lock:
        if _wiring is not None:
            _wiring.close()
        _wiring = None
        current_settings.cache_clear()
