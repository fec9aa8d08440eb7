"""Builds the service from its settings: the only module that chooses implementations."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.gallery.gallery import Gallery
from chalicelib.gallery.memory_gallery import MemoryGallery
from chalicelib.service.active_pack import ActivePack
from chalicelib.service.face_service import FaceService
from chalicelib.service.known_faces import KnownFaces
from chalicelib.service.known_people import KnownPeople
from chalicelib.service.removal import Removal
from chalicelib.settings import Settings, current_settings
from chalicelib.stores.aws import change_marks, sdk
from chalicelib.stores.aws.chosen_tokens import ChosenTokens
from chalicelib.stores.aws.crops import CropStore
from chalicelib.stores.aws.event_bus import EventBus
from chalicelib.stores.aws.segment_objects import SegmentObjects
from chalicelib.stores.aws.tokens import TokenStore
from chalicelib.stores.database.connect import connect
from chalicelib.stores.face_set.exported_faces import ExportedFaces
from chalicelib.stores.face_set.face_listing import FaceListing
from chalicelib.stores.face_set.face_set import FaceSet
from chalicelib.stores.face_set.face_set_names import FaceSetNames
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.stores.face_set.people import People
from chalicelib.stores.face_set.referenced_crops import ReferencedCrops
from chalicelib.stores.face_set.schema_version import is_behind
from chalicelib.stores.face_set.segments import SegmentStore
from chalicelib.stores.face_set.vector_indexes import VectorIndexes
from chalicelib.telemetry.logs import on_lambda
from chalicelib.vision.detector import Detector
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model import Model
from chalicelib.vision.model_pack import ModelPack, ModelPackError
from chalicelib.vision.mtcnn import Mtcnn
from chalicelib.vision.pack_folder import PackFolder
from chalicelib.vision.turned import CONFIDENCES, TurnedDetector
from chalicelib.vision.yunet import Yunet
from chalicelib.vision.yunet_onet import YunetOnet

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from chalicelib.vector_wiring import VectorWiring

# Events are sent after REQUEST_SECONDS at the latest, and the reply waits for them: below API Gateway's 29 s.
EVENT_ATTEMPTS, EVENT_SECONDS = 1, 2.0


class Wiring:
    """The components of one process. None connects before its first use; `close` closes the idle connections."""

    def __init__(self, settings: Settings) -> None:
        logging.getLogger("chalicelib").setLevel(settings.log_level)
        self.settings = settings
        self._lock = threading.Lock()
        self._s3: S3Client | None = None
        self._crops: CropStore | None = None
        self._tokens: TokenStore | None = None
        self._chosen_tokens: ChosenTokens | None = None
        self.packs = PackFolder(Path(settings.model_dir), settings.smallest_face_px, sealed=on_lambda())
        # None of these connects before its first use.
        self.database = connect(settings.database_url)
        self.database.is_behind = partial(is_behind, self.database)
        self.vectors = self._vectors()
        self.compaction_marks = self.reconciliation_marks = None
        if self.database.pauses:
            self.compaction_marks = change_marks.for_compaction(lambda: self.s3, settings.crops_bucket)
            self.reconciliation_marks = change_marks.for_reconciliation(lambda: self.s3, settings.crops_bucket)
        changed = self.vectors.try_at_once if self.vectors else _nothing
        self.face_set = FaceSet(self.database, changed=changed, changing=self.announce_change)
        self.face_set_names = FaceSetNames(self.database)
        self.face_listing = FaceListing(self.database)
        self.people = People(self.database)
        self.known_people = KnownPeople(self.people, self.face_listing, self.face_set_names)
        objects = SegmentObjects(lambda: self.s3, settings.crops_bucket)
        self.segments = SegmentStore(self.database, objects, in_objects=settings.segments == "s3")
        self.model_change = ModelChange(self.database, self.announce_change)
        self.vector_indexes = VectorIndexes(self.database)
        self.referenced_crops = ReferencedCrops(self.database)
        self.exported_faces = ExportedFaces(self.database)
        self.event_bus = EventBus(_events_client, settings.event_bus)
        self.active_pack = ActivePack(self.packs, self.model_change, self._build_service)

    @property
    def s3(self) -> S3Client:
        with self._lock:  # two threads may call this at once
            if self._s3 is None:
                self._s3 = sdk.client("s3")
            return self._s3

    @property
    def crops(self) -> CropStore:
        s3 = self.s3
        with self._lock:
            if self._crops is None:
                self._crops = CropStore(s3, self.settings.crops_bucket)
            return self._crops

    @property
    def tokens(self) -> TokenStore:
        with self._lock:
            if self._tokens is None:
                table, ttl_seconds = self.settings.tokens_table, self.settings.token_ttl_seconds
                self._tokens = TokenStore(sdk.client("dynamodb"), table, ttl_seconds)
            return self._tokens

    @property
    def chosen_tokens(self) -> ChosenTokens:
        with self._lock:
            if self._chosen_tokens is None:
                self._chosen_tokens = ChosenTokens(sdk.client("dynamodb"), self.settings.tokens_table)
            return self._chosen_tokens

    @property
    def removal(self) -> Removal:
        listing, names = self.face_listing, self.face_set_names
        return Removal(listing, names, self.face_set, self.tokens, self.crops, self.people)

    @property
    def known_faces(self) -> KnownFaces:
        listing, names = self.face_listing, self.face_set_names
        return KnownFaces(listing, names, self.face_set, self.crops, deployed=on_lambda())

    def announce_change(self) -> None:
        """Have scheduled functions look at a database that pauses, after a change that is about to be made."""
        for marks in (self.compaction_marks, self.reconciliation_marks):
            if marks is not None:
                marks.put()

    def close(self) -> None:
        self.database.close()

    def _vectors(self) -> VectorWiring | None:
        if self.settings.gallery != "s3vectors":
            return None
        # Imported lazily to keep cold starts short with other galleries.
        from chalicelib.vector_wiring import VectorWiring

        return VectorWiring(self.database, self.settings.vector_bucket)

    def _build_service(self, pack: ModelPack) -> FaceService:
        with ThreadPoolExecutor(max_workers=1) as beside:
            loading = beside.submit(model, pack)
            tokens, crops = self.tokens, self.crops
        loaded = loading.result()
        gallery = self._gallery(pack)
        return FaceService(pack, loaded, tokens, crops, self.face_set, self.face_set_names, gallery)

    def _gallery(self, pack: ModelPack) -> Gallery:
        embedding_id, dimension = pack.embedding_id, pack.embedder.dimension
        memory = MemoryGallery(self.face_set, self.segments, embedding_id, dimension)
        return memory if self.vectors is None else self.vectors.gallery(memory, embedding_id, dimension)


def _events_client() -> Any:
    return sdk.client("events", EVENT_ATTEMPTS, EVENT_SECONDS)


def _nothing() -> None: ...


def model(pack: ModelPack) -> Model:
    """Load a pack's networks."""
    embedder = Embedder(pack.embedder, pack.network(pack.embedder.file))
    smallest_face = pack.detector.smallest_face
    return Model(pack.embedding_id, pack.detector_id, smallest_face, detector(pack), embedder, pack.thresholds)


def detector(pack: ModelPack) -> Detector:
    """Build the detector that the pack's card names; it also finds faces turned on their side."""
    # 98 % of true faces reach this confidence when turned; no false face in a cat's fur does.
    least_confidence = 1 - (1 - pack.detector.thresholds[-1]) * 2 / 3
    return TurnedDetector(upright_detector(pack), CONFIDENCES[pack.detector.kind], least_confidence)


def upright_detector(pack: ModelPack) -> Detector:
    """Build the detector that the pack's card names; it finds upright faces only."""
    build = _DETECTORS.get(pack.detector.kind)
    if build is None:
        raise ModelPackError(
            f"the card's detector kind must be one of {', '.join(_DETECTORS)}, not {pack.detector.kind!r}"
        )
    return build(pack)


def _mtcnn(pack: ModelPack) -> Detector:
    pnet, rnet, onet = (pack.network(pack.detector.files[role]) for role in ("pnet", "rnet", "onet"))
    return Mtcnn(pack.detector, pnet, rnet, onet)


def _yunet(pack: ModelPack) -> Detector:
    return Yunet(pack.detector, pack.network(pack.detector.files["yunet"]))


def _yunet_onet(pack: ModelPack) -> Detector:
    network, onet = (pack.network(pack.detector.files[role]) for role in ("yunet", "onet"))
    return YunetOnet(pack.detector, network, onet)


_DETECTORS: dict[str, Callable[[ModelPack], Detector]] = {
    "mtcnn": _mtcnn,
    "yunet": _yunet,
    "yunet-onet": _yunet_onet,
}

_lock = threading.Lock()
_wiring: Wiring | None = None


def wiring() -> Wiring:
    """Return the process's components, built on the first call. Thread-safe."""
    global _wiring  # noqa: PLW0603  # one instance per process
    with _lock:
        if _wiring is None:
            _wiring = Wiring(current_settings())
        return _wiring


def reset() -> None:
    """Close and discard the process's components, for tests and for server shutdown."""
    global _wiring  # noqa: PLW0603  # as above
    with _lock:
        if _wiring is not None:
            _wiring.close()
        _wiring = None
        current_settings.cache_clear()
