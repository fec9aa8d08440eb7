"""Runs `make layers`: builds deps.zip and models.zip for Lambda, or reports why they cannot run there."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.vision.model_pack import ModelPackError
from infra.deploy.layers import archive, byte_code, installation, pruning, shared_libraries, sizes
from infra.deploy.layers.errors import LayerError
from infra.deploy.layers.target import ARCHITECTURES, RUNTIMES, Target, target
from models import build, sources

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "requirements.txt"
IDENTITY_REQUIREMENTS = Path(__file__).with_name("identity-requirements.txt")
# The Chalice modules that Chalice packs into the function.
CHALICE_RUNTIME = ("__init__.py", "app.py")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy.layers", description=__doc__)
    parser.add_argument("packs", nargs="+", help="names or paths of the model packs' cards")
    parser.add_argument("--arch", default="arm64", help=f"one of {', '.join(ARCHITECTURES)}")
    parser.add_argument("--runtime", default="python3.13", help=f"one of {', '.join(RUNTIMES)}")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "layers", help="folder of the zips")
    options = parser.parse_args(arguments)
    try:
        build_layers(options.packs, target(options.arch, options.runtime), options.into)
    except sources.SourceError as error:
        hint = "PACK=dlib needs only a package index; `make models PACK= FROM=` uses local files (docs/models.md)"
        sys.exit(f"The layers were not built: {error}. {hint}.")
    except (LayerError, build.BuildError, ModelPackError) as error:
        sys.exit(f"The layers were not built: {error}.")


def build_layers(packs: Sequence[str], goal: Target, into: Path) -> None:
    """Build both zips in a folder. On failure, neither exists.

    Raises
    ------
    LayerError
        When the layers would not run on the target.
    models.sources.SourceError, models.build.BuildError, chalicelib.vision.model_pack.ModelPackError
        When a model pack cannot be built.
    """
    into.mkdir(parents=True, exist_ok=True)
    zips = {layer: into / f"{layer}.zip" for layer in ("deps", "models")}
    for path in zips.values():
        path.unlink(missing_ok=True)
    with TemporaryDirectory(dir=into) as work:
        layers = {layer: Path(work) / layer for layer in zips}
        copy_packs([build.build(build.card_path(pack), build.BUILD) for pack in packs], layers["models"] / "models")
        install_dependencies(goal, layers["deps"] / "python")
        parts = sizes.parts_of(layers["deps"] / "python")
        parts |= {f"models/{name}": size for name, size in sizes.parts_of(layers["models"] / "models").items()}
        parts["function"] = function_bytes()
        sizes.check(parts)
        for layer, path in zips.items():
            digest = archive.write_zip(layers[layer], path)
            print(f"{path}  {path.stat().st_size:,} bytes, {sizes.folder_bytes(layers[layer]):,} unzipped  {digest}")
    print(f"Function and layers for {goal}, unzipped: {sum(parts.values()):,} of {sizes.MAX_UNZIPPED_BYTES:,} bytes.")


def build_identity_layer(goal: Target, into: Path) -> None:
    """Build identity.zip, the layer of the function that checks bearer tokens.

    Raises
    ------
    LayerError
        When the layer would not run on the target.
    """
    path = into / "identity.zip"
    path.unlink(missing_ok=True)
    with TemporaryDirectory(dir=into) as work:
        install_dependencies(goal, Path(work) / "python", IDENTITY_REQUIREMENTS)
        digest = archive.write_zip(Path(work), path)
        print(f"{path}  {path.stat().st_size:,} bytes, {sizes.folder_bytes(Path(work)):,} unzipped  {digest}")


def install_dependencies(goal: Target, tree: Path, requirements: Path | None = None) -> None:
    """Install the function's or other dependencies into a folder, then prune, check and, where possible, compile them.

    Raises
    ------
    LayerError
        When a package cannot be installed or would not load on the target.
    """
    chosen = requirements or REQUIREMENTS
    print(f"Installing the packages of {chosen.name} for {goal} ...", flush=True)
    installation.install(chosen, goal, tree)
    pruning.prune(tree)
    shared_libraries.check(tree, goal)
    if command := byte_code.interpreter(goal.python):
        byte_code.compile_modules(tree, command)
    else:
        print(f"No python{goal.python} was found, so the layer has no byte code: each cold start takes seconds longer.")


def copy_packs(folders: Sequence[Path], into: Path) -> None:
    """Copy each pack's card and the files that the card names. MODEL_DIR is /opt/models/<pack> when deployed."""
    for folder in folders:
        (into / folder.name).mkdir(parents=True, exist_ok=True)
        card = folder / "card.toml"
        for name in (card.name, *tomllib.loads(card.read_text("utf-8"))["files"]):
            shutil.copyfile(folder / name, into / folder.name / name)


def function_bytes() -> int:
    """Return an upper bound for the bytes of the function without layers: the compiled service and Chalice runtime."""
    files = [ROOT / "app.py", *(path for path in (ROOT / "chalicelib").rglob("*") if "__pycache__" not in path.parts)]
    chalice = importlib.util.find_spec("chalice")
    if chalice and chalice.origin:
        files += [Path(chalice.origin).with_name(name) for name in CHALICE_RUNTIME]
    # A module's byte code is less than twice the module's size.
    return sum(path.stat().st_size * (3 if path.suffix == ".py" else 1) for path in files if path.is_file())


if __name__ == "__main__":
    main()
