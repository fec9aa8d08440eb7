"""Runs `make image`: prepares the files of an image, then builds it with Docker, or says which command does."""

from __future__ import annotations

import argparse
import platform
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chalicelib.vision.model_pack import ModelPackError
from infra.deploy.layers.errors import LayerError
from infra.deploy.layers.target import ARCHITECTURES, RUNTIMES, Target, target
from infra.deploy.package.errors import PackageError
from infra.image import contents
from models import build, sources

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "image"
DOCKERFILE = Path(__file__).with_name("Dockerfile")
TARGETS = ("local", "lambda")
# Docker's names of Lambda's architectures.
PLATFORMS = {"arm64": "linux/arm64", "x86_64": "linux/amd64"}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.image", description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("packs", nargs="+", help="names or paths of the model packs' cards; for local, one or `auto`")
    parser.add_argument("--arch", help=f"one of {', '.join(ARCHITECTURES)}; for local, this machine's by default")
    parser.add_argument("--runtime", default="python3.13", help=f"one of {', '.join(RUNTIMES)}")
    parser.add_argument("--contents", type=Path, help="only write the image's files to this folder")
    options = parser.parse_args(arguments)
    folder = options.contents or BUILD / options.target
    try:
        goal = target(options.arch or default_architecture(options.target), options.runtime)
        print(f"Preparing the files of the image {options.target} for {goal} in {folder} ...", flush=True)
        prepare(options.target, options.packs, goal, folder)
    except sources.SourceError as error:
        sys.exit(f"The image was not built: {error}. PACK=dlib needs only a package index.")
    except (LayerError, PackageError, build.BuildError, ModelPackError) as error:
        sys.exit(f"The image was not built: {error}.")
    if not options.contents:
        sys.exit(docker(command(options.target, goal, folder)))


def default_architecture(image: str) -> str:
    """Return Lambda's name of an image's architecture: arm64 for Lambda, and this machine's for `local`."""
    names = {wheel: architecture for architecture, (wheel, _) in ARCHITECTURES.items()}
    return "arm64" if image == "lambda" else names.get(platform.machine(), platform.machine())


def prepare(image: str, packs: Sequence[str], goal: Target, into: Path) -> None:
    """Write the files of an image into a folder, in place of earlier ones.

    Raises
    ------
    LayerError, PackageError
        When the packages or the function cannot be packaged for the target.
    models.sources.SourceError, models.build.BuildError, chalicelib.vision.model_pack.ModelPackError
        When a model pack cannot be built.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    if image == "lambda":
        contents.for_lambda(goal, [build.build(build.card_path(pack), build.BUILD) for pack in packs], into)
        return
    if list(packs) == ["auto"]:
        print(build.build_auto())
        contents.for_local(goal, build.CURRENT.resolve(), into)
    elif len(packs) == 1:
        contents.for_local(goal, build.build(build.card_path(packs[0]), build.BUILD), into)
    else:
        raise build.BuildError("the image local has one model pack, but PACK= names several")


def command(image: str, goal: Target, folder: Path) -> list[str]:
    """Return the command that builds an image from its prepared files.

    Lambda takes images for one platform without attestations, which --provenance=false leaves out.
    """
    return [
        *("docker", "build", "--file", str(DOCKERFILE), "--target", image, "--platform", PLATFORMS[goal.architecture]),
        *("--build-arg", f"PYTHON={goal.python}", "--build-context", f"contents={folder}", "--provenance=false"),
        *("--tag", "face-search" if image == "local" else "face-search:lambda", str(DOCKERFILE.parent)),
    ]


def docker(arguments: Sequence[str]) -> str | int:
    """Run a command of Docker; return its exit code, or a message if there is no Docker that answers."""
    program = shutil.which(arguments[0])
    if program is None or subprocess.run([program, "info"], capture_output=True, check=False).returncode:
        return f"The files are ready, but no Docker answers here. Where one does, run:\n  {shlex.join(arguments)}"
    return subprocess.run([program, *arguments[1:]], check=False).returncode


if __name__ == "__main__":
    main()
