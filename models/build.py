"""Builds a model pack: `python -m models.build NAME|CARD.toml|auto [--from FILE ...]`.

A pack is a folder of ONNX files and a card. The card is the one in models/cards/, or the user's own, with the sha256 of
every file behind it. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chalicelib.vision import model_pack
from models import sources

HERE = Path(__file__).parent
CARDS = HERE / "cards"
BUILD = HERE / "build"
CURRENT = BUILD / "current"

Source = dict[str, Any]


class BuildError(Exception):
    """A pack cannot be made from its card and files; the message is one sentence for whoever wrote or chose them."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.build", description="Build a model pack.")
    parser.add_argument("pack", help="a card's name, a card's path, or auto: sface, or dlib where sface cannot be had")
    parser.add_argument(
        "--from", dest="files", type=Path, nargs="+", default=[], help="local files to take for published ones"
    )
    arguments = parser.parse_args()
    pack = arguments.pack
    if pack == "auto" and arguments.files:
        parser.error("--from needs a pack to be named")
    try:
        print(build_auto() if pack == "auto" else use(build(card_path(pack), BUILD, arguments.files)))
    except sources.SourceError as error:
        hint = "PACK=dlib needs only a package index; FROM= takes files got elsewhere"
        sys.exit(f"The model pack {pack} was not built: {error}. {hint}.")
    except (BuildError, model_pack.ModelPackError) as error:
        sys.exit(f"The model pack {pack} was not built: {error}.")


def card_path(pack: str) -> Path:
    """Return the card of a pack by its name, or a user's own by its path, whose name must not be one of ours."""
    known = sorted(card.stem for card in CARDS.glob("*.toml"))
    path = Path(pack) if pack.endswith(".toml") else CARDS / f"{pack}.toml"
    if not path.is_file():
        sys.exit(f"There is no model card {path}; known packs: {', '.join(known)}.")
    if path.parent.resolve() != CARDS.resolve() and (name := model_pack.read_card(path).get("name")) in known:
        sys.exit(f"The model card {path} has the name of a known pack, {name}: give it another.")
    return path


def build_auto() -> str:
    """Keep the pack in use if there is one; else build SFace, else dlib. Return a line that says which one and why."""
    if CURRENT.exists():
        card = CARDS / f"{CURRENT.resolve().name}.toml"
        # A user's own pack is kept as it was built: only they know where its card is.
        folder = build(card, BUILD) if card.is_file() else CURRENT.resolve()
        return _chosen(folder, "in use since an earlier start; `make models PACK=name` takes another one")
    try:
        return _chosen(build(card_path("sface"), BUILD), "the first choice")
    except sources.SourceError as error:
        return _chosen(build(card_path("dlib"), BUILD), f"because {error}")


def _chosen(folder: Path, why: str) -> str:
    """Make a pack the current one; return a line with the reason and the pack's weaknesses."""
    weaknesses = model_pack.read_card(folder / "card.toml").get("weaknesses", ())
    return " ".join([f"{use(folder)}, {why}.", *(str(weakness["text"]) for weakness in weaknesses)])


def use(folder: Path) -> str:
    """Make the pack in `folder` the current one of those beside it; return a line that says so."""
    fresh = folder.with_name(f"{CURRENT.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(folder.with_name(CURRENT.name))
    return f"Model pack: {folder.name}"


def build(card: Path, into: Path, files: Sequence[Path] = ()) -> Path:
    """Build the pack of a card, unless it is there and made from the same card, files and code; return its folder.

    Parameters
    ----------
    card : a card without the tables that this adds.
    into : where the pack's folder, and a cache of what is fetched, are made.
    files : local files, taken for the published ones that have their sha256. One that has none of the card's is meant
        for the embedder, whose sha256 must be the file's if the card states it.

    Raises
    ------
    models.sources.SourceError
        When a published file cannot be had or is not the right one.
    chalicelib.vision.model_pack.ModelPackError, BuildError
        When the card is not valid, a local file is not the card's, or a file is not what its converter takes.
    """
    content = model_pack.read_card(card)
    try:
        detector, embedder = model_pack.detector_card(content), model_pack.embedder_card(content)
        wanted = {part: _source(content, part, card.parent) for part in ("detector", "embedder")}
        folder = into / str(content["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise model_pack.invalid(card, error) from error
    for file in files:
        wanted[_part_of(file, wanted)]["file"] = file
    for source in wanted.values():
        _check_file(source)
    text = card.read_text("utf-8")
    fingerprint = _fingerprint(text, wanted)
    if _is_built(folder, fingerprint):
        return folder
    made = _convert(detector, embedder, wanted, into / "sources")
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    for name, data in made.items():
        (fresh / name).write_bytes(data)
    (fresh / "card.toml").write_text(text + _tables(made, wanted, fingerprint), "utf-8")
    pack = model_pack.ModelPack(fresh)
    _try_detector(pack)
    _make_room(folder, pack.embedding_id)
    fresh.replace(folder)
    return folder


def _make_room(folder: Path, embedding_id: str) -> None:
    """Remove the pack in `folder`, or rename it when it makes other embeddings: a face set may still be under it."""
    try:
        there = model_pack.ModelPack(folder).embedding_id
    except model_pack.ModelPackError:
        there = embedding_id
    if there != embedding_id:
        kept = folder.with_name(there)
        shutil.rmtree(kept, ignore_errors=True)
        folder.replace(kept)
    shutil.rmtree(folder, ignore_errors=True)


def _source(content: dict[str, Any], part: str, beside: Path) -> Source:
    """Return where a part comes from; a file that the card names lies beside the card unless its path is absolute.

    A published file needs a sha256 in the card. For a user's own file it is optional, as nobody else could change it.
    """
    source = dict(content["sources"][part])
    roles = content[part]["files"] if part == "detector" else {"embedder": ""}
    if "package" not in source:  # one file is all there is
        source.setdefault("members", dict.fromkeys(roles, ""))
    for key in ("converter", *(() if "file" in source else ("sha256",))):
        if not isinstance(source.get(key), str):
            raise KeyError(f"sources.{part}.{key}")
    if missing := roles.keys() - source["members"].keys():
        raise KeyError(f"sources.{part}.members.{missing.pop()}")
    if "file" in source:
        source["file"] = beside / source["file"]
    elif not source.keys() & {"package", "url"}:
        raise ValueError(f"sources.{part} names no package, url or file")
    return source


def _part_of(file: Path, wanted: dict[str, Source]) -> str:
    digest = _sha256(file)
    return next((part for part, source in wanted.items() if source.get("sha256") == digest), "embedder")


def _sha256(file: Path) -> str:
    try:
        return sources.sha256(file)
    except OSError as error:
        raise BuildError(f"the file {file} cannot be read: {error.strerror}") from error


def _check_file(source: Source) -> None:
    """Check a local file's sha256, and note it where the card does not state it."""
    if "file" not in source:
        return
    digest = _sha256(source["file"])
    if source.setdefault("sha256", digest) != digest:
        raise BuildError(f"{source['file']} has sha256 {digest}; the card asks for {source['sha256']}")


def _convert(
    detector: model_pack.DetectorCard, embedder: model_pack.EmbedderCard, wanted: dict[str, Source], cache: Path
) -> dict[str, bytes]:
    """Return the pack's ONNX files by their names."""
    from models import conversion  # seconds, which a pack that is built already need not wait

    files: dict[str, bytes] = {}
    for part, source in wanted.items():
        path = sources.fetch(source, cache)
        try:
            published = sources.members(source, path)
            if part == "detector":
                files |= conversion.convert_detector(source["converter"], detector.files, published)
            else:
                files |= conversion.convert_embedder(source["converter"], embedder, published["embedder"])
        except (KeyError, ValueError) as error:
            reason = f"it has no file {error}" if isinstance(error, KeyError) else error
            raise BuildError(f"the {part} cannot be made from {sources.name(source)}: {reason}") from error
    return files


def _try_detector(pack: model_pack.ModelPack) -> None:
    """Run the detector once: its roles, files and thresholds must be what its kind works with."""
    import numpy as np

    from chalicelib import wiring

    try:
        wiring.detector(pack).detect(np.zeros((64, 64, 3), np.uint8))
    except (KeyError, IndexError) as error:
        kind = pack.detector.kind
        raise BuildError(f"a detector of the kind {kind!r} needs other files or thresholds than the card's") from error


def _fingerprint(card: str, wanted: dict[str, Source]) -> str:
    digest = hashlib.sha256(card.encode())
    for source in wanted.values():
        digest.update(source["sha256"].encode())
    for path in sorted(HERE.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _is_built(folder: Path, fingerprint: str) -> bool:
    card = folder / "card.toml"
    if not card.is_file():
        return False
    content = tomllib.loads(card.read_text("utf-8"))
    return content["build"]["fingerprint"] == fingerprint and all(
        (folder / name).is_file() and sources.sha256(folder / name) == digest
        for name, digest in content["files"].items()
    )


def _tables(files: dict[str, bytes], wanted: dict[str, Source], fingerprint: str) -> str:
    digests = "\n".join(f'"{name}" = "{hashlib.sha256(data).hexdigest()}"' for name, data in sorted(files.items()))
    made_from = "\n".join(f'{part} = "{source["sha256"]}"' for part, source in wanted.items())
    return (
        "\n# Written by models/build.py: what it was built from, and the sha256 of every file.\n"
        f'[build]\nfingerprint = "{fingerprint}"\n\n[build.sources]\n{made_from}\n\n[files]\n{digests}\n'
    )


if __name__ == "__main__":
    main()
