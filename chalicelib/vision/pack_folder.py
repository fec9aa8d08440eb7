"""The model packs at hand: the one that MODEL_DIR names, and those in the folders beside it."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

from chalicelib.vision.model_pack import ModelPack, ModelPackError

log = logging.getLogger(__name__)


class PackFolder:
    """Every method raises ModelPackError when the pack that it is asked for is missing or damaged."""

    def __init__(self, model_dir: Path) -> None:
        self._own = model_dir.absolute()

    @cached_property
    def own(self) -> ModelPack:
        return ModelPack(self._own)

    def named(self, name: str) -> ModelPack:
        """Return the pack in the folder of this name, which must be a plain name."""
        names = sorted(path.name for path in self._siblings())
        if name not in names:
            raise ModelPackError(
                f"there is no model pack {name!r} in {self._own.parent}, which has {', '.join(names) or 'none'}"
            )
        return ModelPack(self._own.parent / name)

    def with_id(self, embedding_id: str) -> ModelPack | None:
        """Return the pack that makes embeddings of this id, or None; a damaged one is passed over."""
        if self.own.embedding_id == embedding_id:
            return self.own
        for path in self._siblings():
            try:
                pack = ModelPack(path)
            except ModelPackError as error:
                log.warning("%s", error)
                continue
            if pack.embedding_id == embedding_id:
                return pack
        return None

    def _siblings(self) -> list[Path]:
        return sorted(card.parent for card in self._own.parent.glob("*/card.toml"))
