"""The model packs at hand: the one that MODEL_DIR names, and those in the folders beside it."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

from chalicelib.vision.model_pack import ModelPack, ModelPackError

log = logging.getLogger(__name__)


class PackFolder:
    """Every method raises ModelPackError when the pack that it is asked for is missing or damaged.

    `smallest_face` and `sealed` are every pack's, see ModelPack; None leaves the former to its card.
    """

    def __init__(self, model_dir: Path, smallest_face: int | None = None, *, sealed: bool = False) -> None:
        self._own = model_dir.absolute()
        self._smallest_face = smallest_face
        self._sealed = sealed

    @cached_property
    def own(self) -> ModelPack:
        # Where MODEL_DIR leads now: a link may lead elsewhere when the networks are loaded.
        return self._pack(self._own.resolve())

    def named(self, name: str) -> ModelPack:
        """Return the pack in the folder of this name, which must be a plain name."""
        folders = self._siblings()
        if name not in folders:
            raise ModelPackError(
                f"there is no model pack {name!r} in {self._own.parent}, which has {', '.join(folders) or 'none'}"
            )
        return self._pack(folders[name])

    def with_id(self, embedding_id: str) -> ModelPack | None:
        """Return the pack that makes embeddings of this id, or None; a damaged one is passed over."""
        if self.own.embedding_id == embedding_id:
            return self.own
        for folder in self._siblings().values():
            try:
                pack = self._pack(folder)
            except ModelPackError as error:
                log.warning("%s", error)
                continue
            if pack.embedding_id == embedding_id:
                return pack
        return None

    def _pack(self, folder: Path) -> ModelPack:
        return ModelPack(folder, self._smallest_face, sealed=self._sealed)

    def _siblings(self) -> dict[str, Path]:
        """Return the packs' folders by their names, in the order of these; links followed."""
        return {card.parent.name: card.parent.resolve() for card in sorted(self._own.parent.glob("*/card.toml"))}
