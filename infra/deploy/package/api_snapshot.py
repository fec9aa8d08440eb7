"""Makes API Gateway deploy the API again when anything in it has changed.

A stage serves a snapshot of the API, taken when an AWS::ApiGateway::Deployment is created. A changed API is served only
after a deployment with a new logical id. SAM puts a hash of the API's description into that id, without the values of
parameters: https://github.com/aws/serverless-application-model/issues/660
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from infra.deploy.package.gallery import references
from infra.deploy.package.template import Template

API = "AWS::ApiGateway::RestApi"
DEPLOYMENT = "AWS::ApiGateway::Deployment"
DIGITS = 10


def redeployed(finished: Template, chosen: Mapping[str, str]) -> Template:
    """Return the template with ids of deployments that depend on the API and on the parameters that it refers to.

    Parameters
    ----------
    chosen
        The stage's parameters. The others have their defaults.
    """
    resources = finished["Resources"]
    [(api, described)] = [(name, each) for name, each in resources.items() if each["Type"] == API]
    [old] = [name for name, each in resources.items() if each["Type"] == DEPLOYMENT]
    values = {
        name: chosen.get(name, finished["Parameters"][name].get("Default")) for name in _parameters(finished, api)
    }
    content = json.dumps([described["Properties"], values], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()
    new = f"{api}Deployment{digest[:DIGITS]}"
    resources[new] = resources.pop(old)
    resources[new]["Properties"]["Description"] = f"Snapshot of the API, {digest[:DIGITS]}"
    for each in resources.values():
        if each.get("Properties", {}).get("DeploymentId") == {"Ref": old}:
            each["Properties"]["DeploymentId"] = {"Ref": new}
    return finished


def _parameters(template: Template, resource: str) -> list[str]:
    """Return the parameters that a resource refers to, itself or by its conditions, in order."""
    properties = template["Resources"][resource]["Properties"]
    conditions = template["Conditions"]
    used = references(properties)
    for name in _conditions(properties):
        used |= references(conditions[name])
    return sorted(used & template["Parameters"].keys())


def _conditions(value: object) -> set[str]:
    """Return the names of the conditions in a part of a template."""
    found: set[str] = set()
    if isinstance(value, dict):
        if "Fn::If" in value:
            found.add(value["Fn::If"][0])
        for item in value.values():
            found |= _conditions(item)
    elif isinstance(value, list):
        for item in value:
            found |= _conditions(item)
    return found
