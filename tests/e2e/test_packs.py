"""With every model pack, the service detects, adds, finds and removes a face."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from chalicelib import wiring
from chalicelib.stores.database.base import Database
from chalicelib.vision.model_pack import ModelPack
from models import build
from tests.e2e import pictures
from tests.e2e.api import names, tokens
from tests.e2e.lambda_api import LambdaApi
from tests.models.stand_in import stand_in, stand_in_for_sface
from tests.models.test_own_embedder import EXAMPLE
from tests.packs import YUNET, build_with, folder_with_sources, needs_yunet

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(
    params=["facenet", "mine", *(pytest.param(name, marks=needs_yunet) for name in ("sface-yunet", "dlib-yunet"))]
)
def pack(request: pytest.FixtureRequest, tmp_path: Path) -> ModelPack:
    """A pack by name, with stand-ins for unavailable weights; `mine` is a user's own pack."""
    match request.param:
        case "facenet":
            pack: ModelPack = request.getfixturevalue("facenet_pack")
            return pack
        case "mine":
            (tmp_path / "network.onnx").write_bytes(stand_in())
            (tmp_path / "card.toml").write_text(EXAMPLE.read_text())
            return ModelPack(build.build(tmp_path / "card.toml", folder_with_sources(tmp_path / "build")))
        case "sface-yunet":
            (tmp_path / "sface.onnx").write_bytes(stand_in_for_sface())
            return build_with("sface-yunet", tmp_path, detector=YUNET, embedder=tmp_path / "sface.onnx")
        case name:
            return build_with(name, tmp_path, detector=YUNET)


@pytest.fixture
def api(
    pack: ModelPack,
    tokens_table: str,
    crops_bucket: str,
    database: Database,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[LambdaApi]:
    """The handler as a new container with this pack and empty stores."""
    monkeypatch.setenv("MODEL_DIR", str(pack.folder))
    monkeypatch.setenv("TOKENS_TABLE", tokens_table)
    monkeypatch.setenv("CROPS_BUCKET", crops_bucket)
    monkeypatch.setenv("DATABASE_URL", database_url)
    wiring.reset()
    yield LambdaApi()
    wiring.reset()


@on_sqlite
def test_a_face_from_its_detection_to_its_removal(api: LambdaApi, pack: ModelPack) -> None:
    [face] = api.detect(pictures.astronaut())
    (left, top), (right, bottom) = face["top_left"], face["bottom_right"]
    assert all(left < x < right and top < y < bottom for x, y in face["landmarks"])

    token = face["face_token"]
    api.add(token, face_name="Eileen Collins")
    found = api.search_picture(pictures.astronaut(), "0.01")
    assert (tokens(found), names(found)) == ([token], ["Eileen Collins"])
    assert api.get("/info").body["model"]["title"] == pack.title

    api.remove(token)
    assert tokens(api.search_picture(pictures.astronaut())) == []


@on_sqlite
def test_a_picture_without_a_face_has_no_faces(api: LambdaApi) -> None:
    assert api.detect(pictures.cat()) == []
