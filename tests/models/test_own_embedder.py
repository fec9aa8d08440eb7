"""A user's own embedder needs only docs/example-card.toml and an ONNX file, and mistakes are explained."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto

from chalicelib.vision.embedder import Embedder
from chalicelib.vision.model_pack import ModelPack, ModelPackError, read_card
from models import build
from tests.models.stand_in import stand_in
from tests.packs import folder_with_sources

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "example-card.toml"


@pytest.fixture
def card(tmp_path: Path) -> Path:
    """Copy the example card and write a network beside it."""
    card = tmp_path / "my-card.toml"
    card.write_text(EXAMPLE.read_text())
    (tmp_path / "network.onnx").write_bytes(stand_in())
    return card


@pytest.fixture
def into(tmp_path: Path) -> Path:
    return folder_with_sources(tmp_path / "build")


def _embed(pack: ModelPack, count: int = 3) -> np.ndarray:
    chips = [np.random.default_rng(i).integers(0, 256, (112, 112, 3), np.uint8) for i in range(count)]
    return Embedder(pack.embedder, pack.network(pack.embedder.file)).embed_chips(chips)


def test_the_example_card_and_a_file_make_a_pack(card: Path, into: Path) -> None:
    pack = ModelPack(build.build(card, into))

    embeddings = _embed(pack)

    assert pack.name == "mine"
    assert embeddings.shape == (3, 512)
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(0.65 / 1.2)


def test_the_pack_records_the_files_sha256_if_the_card_has_none(card: Path, into: Path) -> None:
    folder = build.build(card, into)

    assert "sha256" not in read_card(card)["sources"]["embedder"]
    recorded = read_card(folder / "card.toml")["build"]["sources"]["embedder"]
    assert recorded == hashlib.sha256(stand_in()).hexdigest()


def test_another_file_makes_another_pack(card: Path, into: Path, tmp_path: Path) -> None:
    before = ModelPack(build.build(card, into)).embedding_id
    (tmp_path / "network.onnx").write_bytes(stand_in(output_shape=("n", "d")))

    assert ModelPack(build.build(card, into)).embedding_id != before


def test_the_cards_sha256_is_checked(card: Path, into: Path) -> None:
    card.write_text(card.read_text().replace('# sha256 = "..."', f'sha256 = "{"0" * 64}"'))

    with pytest.raises(build.BuildError, match=r"network\.onnx has sha256 .*; the card asks for 0000"):
        build.build(card, into)


def test_a_network_that_takes_rows_first_gives_the_same_embeddings(card: Path, into: Path, tmp_path: Path) -> None:
    expected = _embed(ModelPack(build.build(card, into)))
    (tmp_path / "network.onnx").write_bytes(stand_in(input_shape=("n", 112, 112, 3)))

    assert _embed(ModelPack(build.build(card, into))) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("shape", [None, ("n", "d"), (1, 512)])
def test_a_network_with_an_open_output_size_gives_the_same_embeddings(
    card: Path, into: Path, tmp_path: Path, shape: tuple[int | str, ...] | None
) -> None:
    expected = _embed(ModelPack(build.build(card, into)))
    (tmp_path / "network.onnx").write_bytes(stand_in(output_shape=shape))

    assert _embed(ModelPack(build.build(card, into))) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ({"input_shape": ("n", 3, 160, 160)}, r"chips is \? x 3 x 160 x 160; the card's input_size = 112 requires"),
        ({"input_shape": ("n", 3, "h", "w")}, r"chips is \? x 3 x \? x \?; .* with fixed sizes"),
        ({"input_shape": ("n", 37632)}, r"chips is \? x 37632; .* requires n x 3 x 112 x 112"),
        ({"input_type": TensorProto.FLOAT16}, r"input chips is float16; it must be float \(float32\)"),
        ({"input_type": TensorProto.UINT8}, r"input chips is uint8; it must be float"),
        ({"inputs": 2}, r"2 inputs and 1 outputs, not one of each"),
        ({"outputs": 3}, r"1 inputs and 3 outputs, not one of each"),
        ({"output_shape": ("n", 128)}, r"embeddings is \? x 128; the card's dimension = 512 requires n x 512"),
        ({"output_shape": ("n", 512, 1, 1)}, r"embeddings is \? x 512 x 1 x 1; the card's dimension"),
        ({"output_shape": ("n", "d"), "dimension": 128}, r"a chip gives 128 values; the card says dimension = 512"),
    ],
)
def test_a_network_that_contradicts_the_card_is_refused(
    card: Path, into: Path, tmp_path: Path, network: dict[str, object], reason: str
) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(stand_in(**network))  # type: ignore[arg-type]

    with pytest.raises(build.BuildError, match=rf"^the embedder cannot be made from {file}: .*{reason}"):
        build.build(card, into)
    assert not (into / "mine").exists()


@pytest.mark.parametrize("data", [b"<!doctype html>", b""])
def test_a_file_that_is_not_a_network_is_refused(card: Path, into: Path, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "network.onnx").write_bytes(data)

    with pytest.raises(build.BuildError, match=r"not an ONNX file|0 inputs"):
        build.build(card, into)


def test_a_network_that_the_runtime_cannot_run_is_refused(card: Path, into: Path, tmp_path: Path) -> None:
    (tmp_path / "network.onnx").write_bytes(stand_in().replace(b"AveragePool", b"AverageGoal"))

    with pytest.raises(build.BuildError, match="ONNX Runtime cannot run the network"):
        build.build(card, into)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("calibration =", "calibrated =", "calibration is missing"),
        ("[embedder]", "[embeder]", "embedder is missing"),
        ("mean = [127.5, 127.5, 127.5]", "mean = 127.5", "not iterable"),
        ("[41.5493, 92.3655], ", "", "the template must have five points"),
        ('file = "network.onnx"', 'address = "network.onnx"', r"sources\.embedder names no package, npm, url or file"),
        ('file = "network.onnx"', 'url = "https://host.invalid/x.onnx"', r"sources\.embedder\.sha256 is missing"),
        ('converter = "onnx_embedder"', "", r"sources\.embedder\.converter is missing"),
        ('onet = "mtcnn/assets', 'net = "mtcnn/assets', r"sources\.detector\.members\.onet is missing"),
    ],
)
def test_a_wrong_card_is_named_with_the_reason(card: Path, into: Path, before: str, after: str, reason: str) -> None:
    assert before in card.read_text()
    card.write_text(card.read_text().replace(before, after))

    with pytest.raises(ModelPackError, match=rf"^the model card {card} is not valid: .*{reason}"):
        build.build(card, into)


def test_an_unknown_converter_is_named_with_the_known_ones(card: Path, into: Path) -> None:
    card.write_text(card.read_text().replace('"onnx_embedder"', '"pytorch"'))

    with pytest.raises(
        build.BuildError, match="there is no embedder converter 'pytorch'; known: dlib_resnet, facenet, onnx_embedder"
    ):
        build.build(card, into)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (
            'kind = "mtcnn"',
            'kind = "retina"',
            "detector kind must be one of mtcnn, yunet, yunet-onet, not 'retina'",
        ),
        ('kind = "mtcnn"', 'kind = "yunet"', "a detector of the kind 'yunet' needs other files or thresholds"),
        ("[0.7, 0.6, 0.91]", "[0.6]", "a detector of the kind 'mtcnn' needs other files or thresholds"),
    ],
)
def test_an_impossible_detector_is_refused(card: Path, into: Path, before: str, after: str, reason: str) -> None:
    card.write_text(card.read_text().replace(before, after))

    with pytest.raises((build.BuildError, ModelPackError), match=reason):
        build.build(card, into)
    assert not (into / "mine").exists()


def test_the_command_ends_with_one_sentence(card: Path, tmp_path: Path) -> None:
    (tmp_path / "network.onnx").unlink()
    command = [sys.executable, "-m", "models.build", str(card)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr == (
        f"The model pack {card} was not built: the file {tmp_path / 'network.onnx'} cannot be read:"
        " No such file or directory.\n"
    )
