"""The model packs that tests use."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.vision.detector import Detector
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import ModelPack
from chalicelib.wiring import detector as build_detector
from models import sources
from models.build import BUILD, CARDS, build


@cache
def dlib_pack() -> ModelPack:
    """The pack that can be built and measured wherever a package index is reachable."""
    return ModelPack(build(CARDS / "dlib.toml", BUILD))


@cache
def detector() -> Detector:
    return build_detector(dlib_pack())


@cache
def embedder() -> Embedder:
    return Embedder(dlib_pack().embedder, dlib_pack().network(dlib_pack().embedder.file))


def published(part: str) -> dict[str, bytes]:
    """The published files of a part of the dlib pack: `detector` or `embedder`."""
    source = _source(part)
    return sources.members(source, sources.fetch(source, BUILD / "sources"))


def folder_with_detector(folder: Path) -> Path:
    """Make a folder to build in that holds the detector's published files, so that they are fetched once."""
    file = sources.fetch(_source("detector"), BUILD / "sources")
    (folder / "sources").mkdir(parents=True)
    (folder / "sources" / file.name).symlink_to(file)
    return folder


def _source(part: str) -> dict[str, Any]:
    source: dict[str, Any] = tomllib.loads((CARDS / "dlib.toml").read_text())["sources"][part]
    return source


SHARED_FACES = Path(__file__).parents[2] / "shared" / "faces"
