"""Builds a model pack: `python -m models.build sface|dlib|auto`.

A pack is a folder of ONNX files and a card. The card is the one in models/cards/ with the sha256 of every file
behind it. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.vision.model_pack import ModelPack, ModelPackError
from models import sources

if TYPE_CHECKING:
    import onnx

HERE = Path(__file__).parent
CARDS = HERE / "cards"
BUILD = HERE / "build"
CURRENT = BUILD / "current"

# Above this change of an embedding (Euclidean, relative to its length) the weights stay float32.
HALF_TOLERANCE = 2e-3


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.build", description="Build a model pack.")
    parser.add_argument("pack", help="a card's name, a card's path, or auto: sface, or dlib where sface cannot be had")
    pack = parser.parse_args().pack
    try:
        print(build_auto() if pack == "auto" else use(build(card_path(pack), BUILD)))
    except sources.SourceError as error:
        sys.exit(f"The model pack {pack} was not built: {error}. PACK=dlib needs only a package index.")


def card_path(pack: str) -> Path:
    path = Path(pack) if pack.endswith(".toml") else CARDS / f"{pack}.toml"
    if not path.is_file():
        known = ", ".join(sorted(card.stem for card in CARDS.glob("*.toml")))
        sys.exit(f"There is no model card {path}; known packs: {known}.")
    return path


def build_auto() -> str:
    """Keep the pack in use if there is one; else build SFace, else, saying why, dlib."""
    if CURRENT.exists():
        return use(build(card_path(CURRENT.resolve().name), BUILD))
    try:
        return use(build(card_path("sface"), BUILD))
    except sources.SourceError as error:
        line = use(build(card_path("dlib"), BUILD))
        return f"{line}, because {error}. It is not fit for telling East Asian faces apart: see README.md, Limits."


def use(folder: Path) -> str:
    """Make the pack in `folder` the current one of those beside it; return a line that says so."""
    fresh = folder.with_name(f"{CURRENT.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(folder.with_name(CURRENT.name))
    return f"Model pack: {folder.name}"


def build(card: Path, into: Path) -> Path:
    """Build the pack of a card, unless it is there and made from the same card and code; return its folder.

    Raises
    ------
    models.sources.SourceError
        When a published file cannot be had or is not the right one.
    """
    text = card.read_text()
    content = tomllib.loads(text)
    folder = into / str(content["name"])
    fingerprint = _fingerprint(text)
    if _is_built(folder, fingerprint):
        return folder
    files: dict[str, bytes] = {}
    for part, source in content["sources"].items():
        published = sources.members(source, sources.fetch(source, into / "sources"))
        files |= _convert(content, part, source["converter"], published)
    fresh = into / f"{content['name']}.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, data in files.items():
        (fresh / name).write_bytes(data)
    (fresh / "card.toml").write_text(text + _files_table(files, fingerprint))
    _make_room(folder, ModelPack(fresh).embedding_id)
    fresh.replace(folder)
    return folder


def _make_room(folder: Path, embedding_id: str) -> None:
    """Remove the pack in `folder`, or rename it when it makes other embeddings: a face set may still be under it."""
    try:
        there = ModelPack(folder).embedding_id
    except ModelPackError:
        there = embedding_id
    if there != embedding_id:
        kept = folder.with_name(there)
        shutil.rmtree(kept, ignore_errors=True)
        folder.replace(kept)
    shutil.rmtree(folder, ignore_errors=True)


def _fingerprint(card: str) -> str:
    digest = hashlib.sha256(card.encode())
    for path in sorted(HERE.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_built(folder: Path, fingerprint: str) -> bool:
    card = folder / "card.toml"
    if not card.is_file():
        return False
    content = tomllib.loads(card.read_text())
    return content["build"]["fingerprint"] == fingerprint and all(
        (folder / name).is_file() and sources.sha256(folder / name) == digest
        for name, digest in content["files"].items()
    )


def _files_table(files: dict[str, bytes], fingerprint: str) -> str:
    digests = "\n".join(f'"{name}" = "{hashlib.sha256(data).hexdigest()}"' for name, data in sorted(files.items()))
    return (
        "\n# Written by models/build.py: what it was built from, and the sha256 of every file.\n"
        f'[build]\nfingerprint = "{fingerprint}"\n\n[files]\n{digests}\n'
    )


def _convert(content: dict[str, Any], part: str, converter: str, published: dict[str, bytes]) -> dict[str, bytes]:
    from models import dlib_resnet, mtcnn, onnx_embedder, onnx_graph

    if part == "detector":
        return {
            content["detector"]["files"][key]: onnx_graph.serialize(mtcnn.convert(key, mtcnn.read_weights(data)))
            for key, data in published.items()
        }
    convert = {"dlib_resnet": dlib_resnet.convert, "onnx_embedder": onnx_embedder.convert}[converter]
    model = convert(published["embedder"])
    return {content["embedder"]["file"]: onnx_graph.serialize(_smallest(model, content["embedder"]))}


def _smallest(model: onnx.ModelProto, embedder: dict[str, Any]) -> onnx.ModelProto:
    """Return the model with float16 weights where that leaves its embeddings as they are."""
    import numpy as np
    import onnxruntime as ort

    from models.onnx_graph import store_weights_as_half

    half = store_weights_as_half(model)
    pixels = np.random.default_rng(0).uniform(0, 255, (4, embedder["input_size"], embedder["input_size"], 3))
    chips = ((pixels - embedder["mean"]) * embedder["scale"]).transpose(0, 3, 1, 2).astype(np.float32)
    embeddings = []
    for candidate in (model, half):
        session = ort.InferenceSession(candidate.SerializeToString(), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        embeddings.append(np.concatenate([session.run(None, {name: chip[None]})[0] for chip in chips]))
    full, stored = embeddings
    change = (np.linalg.norm(full - stored, axis=1) / np.linalg.norm(full, axis=1)).max()
    return half if change <= HALF_TOLERANCE else model


if __name__ == "__main__":
    main()
