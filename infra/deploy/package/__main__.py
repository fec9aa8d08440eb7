"""Runs `make package`: writes a stage's template, function and list of artifacts, and builds the layers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from chalicelib.vision.model_pack import ModelPackError, read_card
from infra.deploy.layers import __main__ as layers
from infra.deploy.layers.errors import LayerError
from infra.deploy.layers.target import ARCHITECTURES, RUNTIMES, Target, target
from infra.deploy.package import (
    api_snapshot,
    chalice_project,
    database,
    edge,
    function,
    gallery,
    identity,
    image,
    stage,
    template,
    versions,
)
from infra.deploy.package.errors import PackageError
from models import build, sources

ROOT = Path(__file__).parents[3]
LAYERS = ROOT / "build" / "layers"
PACKAGES = ROOT / "build" / "package"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy.package", description=__doc__)
    parser.add_argument("stage", help=f"one of {', '.join(sorted(path.stem for path in stage.FOLDER.glob('*.toml')))}")
    parser.add_argument("packs", nargs="+", help="names or paths of the model packs' cards, default pack first")
    parser.add_argument("--arch", default="arm64", help=f"one of {', '.join(ARCHITECTURES)}")
    parser.add_argument("--runtime", default="python3.13", help=f"one of {', '.join(RUNTIMES)}")
    options = parser.parse_args(arguments)
    try:
        goal = target(options.arch, options.runtime)
        names = [str(read_card(build.card_path(pack))["name"]) for pack in options.packs]
        print(f"Packaging the function and the template of stage {options.stage} ...", flush=True)
        # Before the layers: writing takes seconds and may fail, and the layers take a minute.
        written = write(options.stage, goal, names, PACKAGES / options.stage)
        chosen = stage.parameters(options.stage)
        if chosen.get(image.PARAMETER):
            print(f"The functions run from the image {chosen[image.PARAMETER]}, so there are no layers for them.")
        else:
            layers.build_layers(options.packs, goal, LAYERS)
        if chosen.get("Identity") == "jwt":
            layers.build_identity_layer(goal, LAYERS)
    except sources.SourceError as error:
        hint = "PACK=dlib needs only a package index; `make models PACK= FROM=` uses local files (docs/models.md)"
        sys.exit(f"Not packaged: {error}. {hint}.")
    except (PackageError, LayerError, build.BuildError, ModelPackError) as error:
        sys.exit(f"Not packaged: {error}.")
    print(f"The template of stage {options.stage} is {written}; artifacts.json beside it lists the files to upload.")


def write(stage_name: str, goal: Target, packs: Sequence[str], into: Path) -> Path:
    """Write function.zip, template.json and artifacts.json into a folder; return the template's path.

    Parameters
    ----------
    goal
        The target of the layers.
    packs
        Names of the model packs in the layer, the default first.

    Raises
    ------
    PackageError
        When the stage, the app or a part of the template is invalid; nothing is written then.
    """
    chosen = stage.parameters(stage_name)
    with TemporaryDirectory() as folder:
        work = Path(folder)
        parts = work / "parts.json"
        parts.write_text(json.dumps(template.parts()), encoding="utf-8")
        chalice_project.package(work / "project", work / "packaged", parts)
        merged = json.loads((work / "packaged" / "sam.json").read_text(encoding="utf-8"))
        finished = template.finish(versions.behind_the_alias(merged), goal, packs)
        template.check_parameters(chosen, finished, stage_name)
        edge.check(chosen)
        versions.check(chosen, finished, goal.python)
        database.check(chosen)
        finished = identity.for_identity(finished, chosen)
        finished = api_snapshot.redeployed(finished, chosen)
        finished = image.for_image(finished, chosen)
        finished = gallery.for_gallery(finished, chosen.get("Gallery", "memory"))
        zipped = function.repack(work / "packaged" / "deployment.zip", into, goal.python)
    files = artifacts(chosen, zipped)
    for name, content in (("template", finished), ("artifacts", {key: _shown(path) for key, path in files.items()})):
        (into / f"{name}.json").write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return into / "template.json"


def artifacts(chosen: Mapping[str, str], zipped: Path) -> dict[str, Path]:
    """Return the files to upload for a stage's parameters, by the template's parameters, given the function's zip."""
    files = {"FunctionKey": zipped}
    if not chosen.get(image.PARAMETER):
        files |= {"DepsLayerKey": LAYERS / "deps.zip", "ModelsLayerKey": LAYERS / "models.zip"}
    if chosen.get("Identity") == "jwt":
        files["IdentityLayerKey"] = LAYERS / "identity.zip"
    return files


def _shown(path: Path) -> str:
    """Return a path relative to the project's folder, or unchanged if it is outside."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)


if __name__ == "__main__":
    main()
