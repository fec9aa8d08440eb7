"""Makes a stage's functions run from a container image instead of zips."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping

from infra.deploy.package.errors import PackageError
from infra.deploy.package.template import Template

PARAMETER = "ImageUri"
# What an image contains. Functions without these layers remain zips.
LAYERS = {"DepsLayer": "DepsLayerKey", "ModelsLayer": "ModelsLayerKey"}
# By digest, because CloudFormation updates nothing when a tag moves to another image.
URI = re.compile(r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/[a-z0-9._/-]+@sha256:[0-9a-f]{64}")


def check_region(chosen: Mapping[str, str], region: str) -> None:
    """Check that a stage's image is in the region where the stage is deployed, where Lambda requires it.

    Raises
    ------
    PackageError
        When it is in another region.
    """
    uri = chosen.get(PARAMETER, "")
    if uri and f".dkr.ecr.{region}." not in uri:
        raise PackageError(f"the stage sets {PARAMETER} to {uri}, but Lambda needs an image in its region, {region}")


def for_image(finished: Template, chosen: Mapping[str, str]) -> Template:
    """Return the template with the functions of a stage's ImageUri, or without that parameter if the stage has none.

    Parameters
    ----------
    chosen
        The stage's parameters.

    Raises
    ------
    PackageError
        When ImageUri is not the address of an image in Amazon ECR, with its digest.
    """
    uri = chosen.get(PARAMETER, "")
    changed = copy.deepcopy(finished)
    if not uri:
        del changed["Parameters"][PARAMETER]
        return changed
    if not URI.fullmatch(uri):
        raise PackageError(
            f"the stage sets {PARAMETER} to {uri}: it must be "
            "<account>.dkr.ecr.<region>.amazonaws.com/<repository>@sha256:<digest>"
        )
    for resource in changed["Resources"].values():
        properties = resource.get("Properties", {})
        if properties.get("Layers") == [{"Ref": layer} for layer in LAYERS]:
            del properties["Layers"], properties["Runtime"]
            properties["Code"] = {PARAMETER: {"Ref": PARAMETER}}
            properties["ImageConfig"] = {"Command": [properties.pop("Handler")]}
            properties["PackageType"] = "Image"
    for layer, key in LAYERS.items():
        del changed["Resources"][layer], changed["Parameters"][key]
    return changed
