"""The cards of all known packs."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib import wiring
from chalicelib.vision import model_pack
from models import build, conversion, sources

every_card = pytest.mark.parametrize("card", sorted(build.CARDS.glob("*.toml")), ids=lambda card: str(card.stem))


@every_card
def test_a_card_is_valid_and_named_after_its_file(card: Path) -> None:
    content = model_pack.read_card(card)

    model_pack.detector_card(content)
    model_pack.embedder_card(content)
    assert content["name"] == card.stem
    for part, source in content["sources"].items():
        roles = content[part]["files"] if part == "detector" else ("embedder",)
        assert source["licence"]
        assert all(len(file.sha256) == 64 for file in sources.read(source, roles, card.parent))


@every_card
def test_a_pack_with_yunet_has_the_same_embedder_as_the_pack_without(card: Path) -> None:
    content = model_pack.read_card(card)
    other = model_pack.read_card(card.with_stem(card.stem.removesuffix("-yunet")))

    # The template differs, because YuNet places landmarks differently from MTCNN.
    assert content["embedder"] | {"template": []} == other["embedder"] | {"template": []}
    assert content["sources"]["embedder"] == other["sources"]["embedder"]


@every_card
def test_a_cards_converters_and_detector_exist(card: Path) -> None:
    content = model_pack.read_card(card)

    assert content["sources"]["detector"]["converter"] in conversion._DETECTORS
    assert content["sources"]["embedder"]["converter"] in conversion._EMBEDDERS
    assert content["detector"]["kind"] in wiring._DETECTORS


def test_every_preferred_pack_has_a_card() -> None:
    assert [name for name in build.PREFERENCE if not (build.CARDS / f"{name}.toml").is_file()] == []
