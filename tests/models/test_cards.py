"""The cards of the packs that can be chosen."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.vision import model_pack
from models import build

every_card = pytest.mark.parametrize("card", sorted(build.CARDS.glob("*.toml")), ids=lambda card: str(card.stem))


@every_card
def test_it_is_valid_and_named_after_its_file(card: Path) -> None:
    content = model_pack.read_card(card)

    model_pack.detector_card(content)
    model_pack.embedder_card(content)
    assert content["name"] == card.stem
    assert all(source["licence"] and len(source["sha256"]) == 64 for source in content["sources"].values())


@every_card
def test_a_pack_with_yunet_has_the_embedder_of_the_one_without(card: Path) -> None:
    content = model_pack.read_card(card)
    other = model_pack.read_card(card.with_stem(card.stem.removesuffix("-yunet")))

    # But for where the landmarks lie: YuNet's are not where MTCNN's are.
    assert content["embedder"] | {"template": []} == other["embedder"] | {"template": []}
    assert content["sources"]["embedder"] == other["sources"]["embedder"]
