"""Collects a packaged stage's files for a release: `python -m infra.deploy.release_files STAGE TAG`.

They deploy without this project: the template from CloudFormation, CDK or Terraform, and the function and layers from
any bucket.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.deploy.errors import DeployError
from infra.deploy.package.errors import PackageError
from infra.deploy.packaged_stage import ROOT, Package, load
from infra.deploy.versions import RELEASE

SUMS = "SHA256SUMS"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.deploy.release_files", description=__doc__)
    parser.add_argument("stage", help="a packaged stage")
    parser.add_argument("tag", help="the release's name, such as v1.2.0")
    parser.add_argument("--into", type=Path, default=ROOT / "build" / "release", help="folder of the files")
    options = parser.parse_args(arguments)
    try:
        for file in collect(load(options.stage), options.tag, options.into):
            print(file)
    except (DeployError, PackageError) as error:
        sys.exit(f"No release: {error}.")


def collect(package: Package, tag: str, into: Path) -> list[Path]:
    """Write the template, the function, the layers and their sha256 sums into a new folder; return the files.

    The template publishes the function as the release `tag`, unless a deployment chooses another text.

    Raises
    ------
    DeployError
        When the folder has files, or the tag has characters that the template does not accept.
    """
    if into.is_dir() and any(into.iterdir()):
        raise DeployError(f"{into} is not empty")
    template = json.loads(package.template.read_text("utf-8"))
    release = re.sub(r"[^A-Za-z0-9-]", "-", tag)
    if not re.fullmatch(template["Parameters"][RELEASE]["AllowedPattern"], release):
        raise DeployError(f"{tag} cannot be a release's name")
    template["Parameters"][RELEASE]["Default"] = release
    into.mkdir(parents=True, exist_ok=True)
    (into / "template.json").write_text(json.dumps(template, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    for path in package.artifacts.values():
        shutil.copyfile(path, into / path.name)
    files = sorted(into.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (into / SUMS).write_text("".join(sums), encoding="utf-8")
    return [*files, into / SUMS]


if __name__ == "__main__":
    main()
