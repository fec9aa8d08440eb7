"""The service over real packs and real stores, as one process sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from chalicelib.faces import KnownFace, SearchResult, Terms
from chalicelib.maintenance import operations
from chalicelib.maintenance.re_embedding import Report
from chalicelib.service.grouping import Grouping
from chalicelib.settings import CONTRACT_IMAGE_BYTES, CONTRACT_SIDE_PX, Settings
from chalicelib.vision.model import Model
from chalicelib.wiring import Wiring, model
from tests.packs import OTHER_DETECTOR, UNIT_LENGTH, variant
from tests.saved_faces import known_faces

RAW, UNIT, OTHER = "dlib", "unit", "other-detector"


@dataclass(frozen=True)
class Place:
    """Stores and a folder of packs: dlib's with raw embeddings, with unit-length ones, and with another detector."""

    packs: Path
    database_url: str
    tokens_table: str
    crops_bucket: str

    def process(self, pack: str = RAW) -> Process:
        """Return the parts of a process that uses this pack's folder as MODEL_DIR."""
        return Process(
            Wiring(
                Settings(
                    model_dir=str(self.packs / pack),
                    database_url=self.database_url,
                    tokens_table=self.tokens_table,
                    crops_bucket=self.crops_bucket,
                    incoming_bucket="",
                    segments="s3",
                    gallery="memory",
                    vector_bucket="",
                    token_ttl_seconds=3600,
                    max_image_bytes=CONTRACT_IMAGE_BYTES,
                    max_image_side_px=CONTRACT_SIDE_PX,
                    request_seconds=600,
                    smallest_face_px=None,
                    log_level="INFO",
                    identity="key",
                    audit=False,
                    event_bus=None,
                    cors_origin=None,
                )
            )
        )


def build_packs(folder: Path) -> Path:
    for changes in ((), UNIT_LENGTH, OTHER_DETECTOR):
        variant(folder, changes)
    return folder


class Process:
    def __init__(self, parts: Wiring) -> None:
        self.parts = parts

    @cached_property
    def model(self) -> Model:
        """Return the model of the process's own pack, whichever pack it serves."""
        return model(self.parts.packs.own)

    @property
    def active(self) -> str:
        return self.parts.face_set.state().embedding_id

    @property
    def served(self) -> str:
        return self.parts.active_pack.present.pack.name

    def embedding_id(self, pack: str) -> str:
        return self.parts.packs.named(pack).embedding_id

    def add(self, seeds: range) -> list[KnownFace]:
        """Add faces with crops to the face set, under its own model."""
        faces = known_faces(self.parts.crops, self.model, seeds)
        self.parts.face_set.add_many(faces)
        return faces

    def re_embed(
        self,
        pack: str = UNIT,
        *,
        leave_behind: bool = False,
        may_go_on: Callable[[], bool] = lambda: True,
        progress: Callable[[str], None] = lambda _: None,
    ) -> Report:
        return operations.re_embed(
            self.parts,
            self.parts.packs.named(pack),
            leave_behind=leave_behind,
            may_go_on=may_go_on,
            progress=progress,
        )

    def detect(self, picture: bytes) -> str:
        [face] = self.parts.active_pack.present.detect(picture)
        return face.token

    def add_token(self, token: str, name: str = "somebody") -> None:
        self.parts.active_pack.answer(lambda service: service.add(token, name))

    def search(self, token: str, threshold: float = 100.0) -> SearchResult:
        terms = Terms(threshold, 10_000)
        return self.parts.active_pack.answer(lambda service: service.search_token(token, terms)).result

    def group(self, tokens: Sequence[str]) -> Grouping:
        return self.parts.active_pack.answer(lambda service: service.group(tokens))

    def remove(self, token: str) -> None:
        self.parts.removal.remove(token)


def tokens(found: SearchResult | Sequence[KnownFace]) -> list[str]:
    return [face.token for face in (found.matches if isinstance(found, SearchResult) else found)]
