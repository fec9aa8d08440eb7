"""Finds model packs: the one at MODEL_DIR, and those in the folders beside it."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path

from chalicelib.vision.model_pack import ModelPack, ModelPackError

log = logging.getLogger(__name__)


class PackFolder:
    """The pack at MODEL_DIR and the packs beside it.

    Every method raises ModelPackError if the requested pack is missing or damaged, unless it says otherwise.
    `smallest_face` and `sealed` apply to every pack, see ModelPack. With a `smallest_face` of None, each card's value
    applies.
    """

    def __init__(self, model_dir: Path, smallest_face: int | None = None, *, sealed: bool = False) -> None:
        self._own = model_dir.absolute()
        self._smallest_face = smallest_face
        self._sealed = sealed

    @cached_property
    def own(self) -> ModelPack:
        # Resolve MODEL_DIR now: if it is a link, it may point elsewhere by the time the networks are loaded.
        return self._pack(self._own.resolve())

    def named(self, name: str) -> ModelPack:
        """Return the pack in the folder with this name; a path is not accepted."""
        folders = self._siblings()
        if name not in folders:
            raise ModelPackError(
                f"there is no model pack {name!r} in {self._own.parent}; available: {', '.join(folders) or 'none'}"
            )
        return self._pack(folders[name])

    def with_id(self, embedding_id: str) -> ModelPack | None:
        """Return the pack with this embedding id, or None; damaged packs beside MODEL_DIR are logged and skipped."""
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
        """Return the packs' folders by name, sorted by name, with links followed."""
        return {card.parent.name: card.parent.resolve() for card in sorted(self._own.parent.glob("*/card.toml"))}
