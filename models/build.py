"""Builds a model pack: `python -m models.build NAME|CARD.toml|auto [--from FILE ...]`.

A pack is a folder of ONNX files and a card. The card is a copy of a card in models/cards/, or of the user's own card,
with the sha256 of every file appended. The same sources give the same bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from chalicelib.vision import model_pack
from models import sources

HERE = Path(__file__).parent
CARDS = HERE / "cards"
BUILD = HERE / "build"
CURRENT = BUILD / "current"

# The packs that `make run` and `make test` try, the best first; decision 0130 gives the reasons.
PREFERENCE = ("retail-0095", "sface", "mobilefacenet", "dlib")


class Source(NamedTuple):
    """The source of a part of a pack: its converter, and the published files that the converter takes."""

    converter: str
    files: list[sources.PublishedFile]


class BuildError(Exception):
    """A pack cannot be built from its card and files; the message is one sentence for the user who chose them."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.build", description="Build a model pack.")
    parser.add_argument(
        "pack", help=f"a card's name, a card's path, or auto: the first available of {', '.join(PREFERENCE)}"
    )
    parser.add_argument(
        "--from", dest="files", type=Path, nargs="+", default=[], help="local files to use in place of published ones"
    )
    arguments = parser.parse_args()
    pack = arguments.pack
    try:
        if pack == "auto":
            print(build_auto(arguments.files))
        else:
            print(_chosen(build(card_path(pack), BUILD, arguments.files), "as requested"))
    except sources.SourceError as error:
        hint = "PACK=dlib needs only a package index; FROM= uses local files"
        sys.exit(f"The model pack {pack} was not built: {error}. {hint}.")
    except (BuildError, model_pack.ModelPackError) as error:
        sys.exit(f"The model pack {pack} was not built: {error}.")


def card_path(pack: str) -> Path:
    """Return the path of a card, given its name or its path; exit if there is none.

    A user's own card must not have the name of a known pack.
    """
    known = sorted(card.stem for card in CARDS.glob("*.toml"))
    path = Path(pack) if pack.endswith(".toml") else CARDS / f"{pack}.toml"
    if not path.is_file():
        sys.exit(f"There is no model card {path}; known packs: {', '.join(known)}.")
    if path.parent.resolve() != CARDS.resolve() and (name := model_pack.read_card(path).get("name")) in known:
        sys.exit(f"The model card {path} has the name of a known pack, {name}; choose another name.")
    return path


def build_auto(files: Sequence[Path] = ()) -> str:
    """Keep the pack in use, or build the first available pack of PREFERENCE; return a line that names it and says why,
    and a line for each weakness.

    With local `files`, the pack is the first of PREFERENCE that uses one of them.
    """
    if files:
        return _chosen(build(card_path(_pack_of(files)), BUILD, files), "because its files were given")
    if CURRENT.exists():
        pack = CURRENT.resolve().name
        card = CARDS / f"{pack}.toml"
        # A user's own pack is kept as it was built, because the path of its card is not known.
        folder = build(card, BUILD) if card.is_file() else CURRENT.resolve()
        better = "" if pack == PREFERENCE[0] else f"; `make re-embed PACK={PREFERENCE[0]}` changes to the best one"
        return _chosen(folder, f"in use since an earlier start{better}")
    missed: list[str] = []
    for pack in PREFERENCE:
        try:
            folder = build(card_path(pack), BUILD)
        except sources.SourceError as error:
            missed.append(f"{pack} is not available ({error})")
        else:
            return _chosen(folder, "because " + "; ".join(missed) if missed else "the best one")
    raise sources.SourceError("; ".join(missed))


def _pack_of(files: Sequence[Path]) -> str:
    digests = set(map(_sha256, files))
    for pack in PREFERENCE:
        for table in model_pack.read_card(CARDS / f"{pack}.toml")["sources"].values():
            if digests & {file.get("sha256") for file in (table, *table.get("files", {}).values())}:
                return pack
    raise BuildError(f"no known pack uses {' or '.join(map(str, files))}; name the pack to build with PACK=")


def _chosen(folder: Path, why: str) -> str:
    """Make a pack the current one; return a line with its name and the reason, and a line for each weakness."""
    weaknesses = model_pack.read_card(folder / "card.toml").get("weaknesses", ())
    return "\n  ".join([f"{use(folder)}, {why}.", *(str(weakness["text"]) for weakness in weaknesses)])


def use(folder: Path) -> str:
    """Point the link `current` beside `folder` to the pack in `folder`; return a line that names the pack."""
    fresh = folder.with_name(f"{CURRENT.name}.new")
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.name)
    fresh.replace(folder.with_name(CURRENT.name))
    return f"Model pack: {folder.name}"


def build(card: Path, into: Path, files: Sequence[Path] = ()) -> Path:
    """Build the pack of a card and return its folder; skip this if its card, files and code have not changed.

    Parameters
    ----------
    card : a card without the tables that this adds.
    into : the folder for the pack's folder and for the cache of fetched files.
    files : local files, used in place of the published files with the same sha256. A file with another sha256 replaces
        the embedder's only file; if the card states a sha256 for the embedder, they must agree.

    Raises
    ------
    models.sources.SourceError
        If a published file cannot be fetched or has the wrong sha256.
    chalicelib.vision.model_pack.ModelPackError, BuildError
        If the card is not valid, a local file does not have the card's sha256, or a converter does not accept a file.
    """
    content = model_pack.read_card(card)
    try:
        detector, embedder = model_pack.detector_card(content), model_pack.embedder_card(content)
        wanted = {part: _source(content, part, card.parent) for part in ("detector", "embedder")}
        folder = into / str(content["name"])
    except (KeyError, TypeError, ValueError) as error:
        raise model_pack.invalid(card, error) from error
    for file in files:
        _take(file, wanted)
    for source in wanted.values():
        source.files[:] = map(_checked, source.files)
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
    """Remove the pack in `folder`, or rename it if its embeddings differ: a face set may still use them."""
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
    table = content["sources"][part]
    roles = content[part]["files"] if part == "detector" else ("embedder",)
    if not isinstance(table.get("converter"), str):
        raise KeyError(f"sources.{part}.converter")
    try:
        return Source(table["converter"], sources.read(table, roles, beside))
    except KeyError as error:
        raise KeyError(f"sources.{part}.{error.args[0]}") from error
    except ValueError as error:
        raise ValueError(f"sources.{part} {error}") from error


def _take(file: Path, wanted: dict[str, Source]) -> None:
    """Use a local file in place of the published file with its sha256, or else of the embedder's only file."""
    digest = _sha256(file)
    for source in (*wanted.values(), wanted["embedder"]):
        for place, published in enumerate(source.files):
            if published.sha256 == digest:
                source.files[place] = published._replace(file=file)
                return
    published, *others = wanted["embedder"].files
    if others:
        asked = ", ".join(other.sha256 for other in (published, *others))
        raise BuildError(f"{file} has sha256 {digest}; the card asks for {asked}")
    wanted["embedder"].files[0] = published._replace(file=file)


def _sha256(file: Path) -> str:
    try:
        return sources.sha256(file)
    except OSError as error:
        raise BuildError(f"the file {file} cannot be read: {error.strerror}") from error


def _checked(published: sources.PublishedFile) -> sources.PublishedFile:
    """Check a local file's sha256 against the card's, or add the sha256 if the card states none."""
    if published.file is None:
        return published
    digest = _sha256(published.file)
    if published.sha256 not in ("", digest):
        raise BuildError(f"{published.file} has sha256 {digest}; the card asks for {published.sha256}")
    return published._replace(sha256=digest)


def _convert(
    detector: model_pack.DetectorCard, embedder: model_pack.EmbedderCard, wanted: dict[str, Source], cache: Path
) -> dict[str, bytes]:
    """Return the pack's ONNX files by their names."""
    from models import conversion  # takes seconds, so it is imported only if a pack must be built

    files: dict[str, bytes] = {}
    for part, source in wanted.items():
        fetched = [(published, sources.fetch(published, cache)) for published in source.files]
        try:
            contents: dict[str, bytes] = {}
            for published, path in fetched:
                contents |= sources.members(published, path)
            if part == "detector":
                files |= conversion.convert_detector(source.converter, detector.files, contents)
            else:
                files |= conversion.convert_embedder(source.converter, embedder, contents)
        except (KeyError, ValueError) as error:
            reason = f"it has no file {error}" if isinstance(error, KeyError) else error
            names = " and ".join(published.name for published in source.files)
            raise BuildError(f"the {part} cannot be made from {names}: {reason}") from error
    return files


def _try_detector(pack: model_pack.ModelPack) -> None:
    """Run the detector once, to check that its files and thresholds fit its kind."""
    import numpy as np

    from chalicelib import wiring

    try:
        wiring.detector(pack).detect(np.zeros((64, 64, 3), np.uint8))
    except (KeyError, IndexError, ValueError) as error:
        kind = pack.detector.kind
        raise BuildError(f"a detector of the kind {kind!r} needs other files or thresholds than the card's") from error


def _fingerprint(card: str, wanted: dict[str, Source]) -> str:
    digest = hashlib.sha256(card.encode())
    for source in wanted.values():
        digest.update("".join(published.sha256 for published in source.files).encode())
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
    made_from = "\n".join(
        f'{part} = "{" ".join(published.sha256 for published in source.files)}"' for part, source in wanted.items()
    )
    return (
        "\n# Written by models/build.py: the pack's sources, and the sha256 of every file.\n"
        f'[build]\nfingerprint = "{fingerprint}"\n\n[build.sources]\n{made_from}\n\n[files]\n{digests}\n'
    )


if __name__ == "__main__":
    main()
