"""Prepares the template for versions of the API's function: who is invoked, and how a version is described."""

from __future__ import annotations

import json
from collections.abc import Mapping

from chalicelib.stores.face_set.schema import MIGRATIONS
from infra.deploy.package import image
from infra.deploy.package.errors import PackageError
from infra.deploy.package.template import Template

FUNCTION = "${APIHandler.Arn}"
# "Improving startup performance with Lambda SnapStart", AWS Lambda's developer guide: python3.12 and later.
WITHOUT_SNAPSHOTS = ("3.11",)


def behind_the_alias(merged: Template) -> Template:
    """Return Chalice's merged template with its API on the alias `live`, and with described versions.

    The alias is written as text. A reference would form a circle: the alias waits for the alarm of a shift, and the
    alarm for the API.
    """
    resources = merged["Resources"]
    body = resources["RestAPI"]["Properties"]["DefinitionBody"]
    uri = f"functions/{FUNCTION}"
    resources["RestAPI"]["Properties"]["DefinitionBody"] = json.loads(
        json.dumps(body).replace(f"{uri}/invocations", f"{uri}:live/invocations")
    )
    # Lambda publishes no version of an unchanged function, so the function has the description too. `make rollback`
    # reads the schema from it.
    for name in ("APIHandler", "ApiVersion"):
        resources[name]["Properties"]["Description"] = {"Fn::Sub": f"release ${{Release}}, schema {len(MIGRATIONS)}"}
    return merged


def check(chosen: Mapping[str, str], finished: Template, python: str) -> None:
    """Check a stage's parameters for how its containers start.

    Parameters
    ----------
    python
        The minor version that runs the functions, like 3.13.

    Raises
    ------
    PackageError
        When the stage wants snapshots and provisioned containers, which Lambda does not combine, snapshots of a Python
        that has none or of an image, or more provisioned containers than it reserves.
    """
    provisioned = chosen.get("ProvisionedContainers", "0")
    if not provisioned.isdecimal():
        raise PackageError(f"the stage sets ProvisionedContainers to {provisioned}: it must be a whole number from 0")
    if chosen.get("SnapStart") == "true" and python in WITHOUT_SNAPSHOTS:
        raise PackageError(f"the stage sets SnapStart, which python{python} does not have")
    if chosen.get("SnapStart") == "true" and chosen.get(image.PARAMETER):
        raise PackageError(f"the stage sets SnapStart and {image.PARAMETER}: Lambda takes no snapshots of images")
    if chosen.get("SnapStart") == "true" and int(provisioned):
        raise PackageError("the stage sets SnapStart and ProvisionedContainers: Lambda has one or the other")
    if chosen.get("ReserveConcurrency", "true") == "true":
        database_class = chosen.get("DatabaseClass", finished["Parameters"]["DatabaseClass"]["Default"])
        reserved = finished["Mappings"]["Capacity"][database_class]["ApiConcurrency"]
        if int(provisioned) > int(reserved):
            raise PackageError(
                f"the stage sets ProvisionedContainers to {provisioned}, but reserves {reserved} containers"
            )
