"""The model packs that tests use."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

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
    """Make a folder to build in that holds the dlib pack's published files, so that they are fetched once."""
    (folder / "sources").mkdir(parents=True)
    for part in ("detector", "embedder"):
        file = sources.fetch(_source(part), BUILD / "sources")
        (folder / "sources" / file.name).symlink_to(file)
    return folder


def build_with(name: str, folder: Path, **files: Path) -> ModelPack:
    """Build a pack in `folder` from its card as it is, but for what its `detector` or `embedder` comes from."""
    return ModelPack(build(card_with(name, folder, **files), folder_with_detector(folder / "build")))


def card_with(name: str, folder: Path, **files: Path) -> Path:
    """Write a copy of a card whose `detector` or `embedder` is published at these files' addresses."""
    text = (CARDS / f"{name}.toml").read_text()
    for part, file in files.items():
        source = tomllib.loads(text)["sources"][part]
        text = text.replace(source["url"], file.as_uri()).replace(source["sha256"], sources.sha256(file))
    card = folder / f"{name}.toml"
    card.write_text(text)
    return card


def _source(part: str) -> dict[str, Any]:
    source: dict[str, Any] = tomllib.loads((CARDS / "dlib.toml").read_text())["sources"][part]
    return source


SHARED_FACES = Path(__file__).parents[2] / "shared" / "faces"
YUNET = Path(__file__).parents[2] / "shared" / "models" / "face_detection_yunet_2023mar.onnx"
needs_yunet = pytest.mark.skipif(not YUNET.exists(), reason="YuNet's published file beside the project is absent")


@cache
def yunet() -> Detector:
    """YuNet as its pack makes it; the embedder beside it does not matter, and comes from a package index."""
    with TemporaryDirectory() as folder:
        return build_detector(build_with("dlib-yunet", Path(folder), detector=YUNET))
