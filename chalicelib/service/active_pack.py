"""Answers requests with the face set's model pack; a running process switches packs when that model changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from chalicelib.errors import model_is_changed, model_is_missing
from chalicelib.service.face_service import FaceService
from chalicelib.stores.face_set.active_model import ModelChangedError
from chalicelib.stores.face_set.model_change import ModelChange
from chalicelib.vision.model_pack import ModelPack
from chalicelib.vision.pack_folder import PackFolder

# Model changes that one request follows before it fails. An operator does not change the model twice in a second.
MAX_CHANGES_PER_REQUEST = 5

log = logging.getLogger(__name__)

T = TypeVar("T")


class ActivePack:
    """Serves the pack of MODEL_DIR until a request finds the face set under another model.

    Parameters
    ----------
    build
        Returns the service that runs a pack.
    """

    def __init__(self, packs: PackFolder, change: ModelChange, build: Callable[[ModelPack], FaceService]) -> None:
        self._packs = packs
        self._change = change
        self._build = build
        self._lock = threading.Lock()
        self._served: FaceService | None = None
        # Whether a request has confirmed that the face set is under the served pack's model.
        self._settled = False

    @property
    def present(self) -> FaceService:
        """Return the service of the pack in use, without asking the database, which may be down."""
        served = self._served  # without the lock, which is held while another pack is loaded
        if served is not None:
            return served
        with self._lock:  # two threads may ask at once
            if self._served is None:
                self._served = self._build(self._packs.own)
            return self._served

    def answer(self, request: Callable[[FaceService], T]) -> T:
        """Answer a request entirely under the face set's model; start again under the new model if it has changed.

        Raises
        ------
        ServiceError
            The request's own errors. 1003 (503) when this server lacks the face set's model or the model keeps
            changing.
        """
        for _ in range(MAX_CHANGES_PER_REQUEST):
            served = self.present
            try:
                answered = request(served)
            except ModelChangedError as changed:
                self._follow(served, changed.embedding_id)
            else:
                self._settled = True
                return answered
        log.error("the face set's model changed %d times during one request", MAX_CHANGES_PER_REQUEST)
        raise model_is_changed()

    def _follow(self, outdated: FaceService, embedding_id: str) -> None:
        with self._lock:
            if self._served is not outdated:  # another thread was faster
                return
            own = self._packs.own
            pack = self._packs.with_id(embedding_id)
            if pack is None or not self._settled:
                # An empty face set adopts this process's model.
                embedding_id = self._change.adopt(own.embedding_id)
                pack = self._packs.with_id(embedding_id)
            if pack is None:
                log.error(
                    "the face set is under the model %s, and no pack beside MODEL_DIR (%s) has it: build that pack, "
                    "or run `make re-embed` with the pack that replaces it",
                    embedding_id,
                    own.embedding_id,
                )
                raise model_is_missing()
            if pack is not own:
                log.warning(
                    "the face set is under the model %s, so it is served by the pack %s, not by MODEL_DIR's (%s)",
                    embedding_id,
                    pack.name,
                    own.embedding_id,
                )
            self._served = self._build(pack)
            self._settled = True
