"""Builds the stack's template, in plain CloudFormation, from Chalice's template of app.py and infra/deploy/template."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

from infra.deploy import certificates
from infra.deploy.layers.target import Target
from infra.deploy.package.chalice_project import ANY_REGION
from infra.deploy.package.errors import PackageError

FOLDER = Path(__file__).parents[1] / "template"
DEPLOYED = "/var/task/chalicelib/stores/database/certificates"
FUNCTION = "AWS::Serverless::Function"
# Parameters that the deployment sets; a stage may not set them.
GIVEN = ("ArtifactBucket", "FunctionKey", "DepsLayerKey", "ModelsLayerKey", "IdentityLayerKey", "Release")

Template = dict[str, Any]


def parts() -> Template:
    """Return all files of infra/deploy/template as one template. Chalice merges it into its own.

    Raises
    ------
    PackageError
        When two files describe the same name.
    """
    whole: Template = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        for section, content in yaml.safe_load(file.read_text(encoding="utf-8")).items():
            if section.startswith("x-"):  # anchors for use within the file
                continue
            twice = whole.setdefault(section, {}).keys() & content.keys()
            if twice:
                raise PackageError(f"{file} describes {', '.join(sorted(twice))}, but another file already does")
            whole[section] |= content
    whole["Mappings"]["Certificates"] = {
        region: {"File": f"{DEPLOYED}/{region}.pem"} for region in certificates.regions()
    }
    return whole


def finish(merged: Template, goal: Target, packs: Sequence[str]) -> Template:
    """Return Chalice's merged template as plain CloudFormation.

    Parameters
    ----------
    goal
        The target of the layers.
    packs
        The model packs in the layer, the default first.

    Raises
    ------
    PackageError
        When infra/deploy/template lacks a function of app.py or has an extra one, or the template is not valid SAM.
    """
    resources = merged["Resources"]
    described = parts()
    functions = {name for name, resource in resources.items() if resource.get("Type") == FUNCTION}
    if missing := functions - described["Resources"].keys():
        raise PackageError(
            f"infra/deploy/template/functions.yaml does not describe {', '.join(sorted(missing))} of app.py"
        )
    if unknown := [name for name, resource in resources.items() if "Type" not in resource]:
        raise PackageError(f"infra/deploy/template describes {', '.join(unknown)}, but app.py does not define it")
    for name, resource in resources.items():
        if name in functions:
            resource["Properties"] |= {"Runtime": f"python{goal.python}", "Architectures": [goal.architecture]}
        elif resource["Type"] == "AWS::Lambda::LayerVersion":
            resource["Properties"] |= {
                "CompatibleRuntimes": [f"python{goal.python}"],
                "CompatibleArchitectures": [goal.architecture],
            }
    merged["Parameters"]["ModelPack"] |= {"Default": packs[0], "AllowedValues": list(packs)}
    # Chalice's outputs give the same values under other names.
    merged["Outputs"] = described["Outputs"]
    merged["Description"] = "Face search"
    return _translated(merged)


def check_parameters(chosen: dict[str, str], template: Template, stage: str) -> None:
    """Check that a stage sets only parameters of the template, to allowed values.

    Raises
    ------
    PackageError
        With the first wrong parameter.
    """
    for name, value in chosen.items():
        described = template["Parameters"].get(name)
        if described is None or name in GIVEN:
            raise PackageError(f"stage {stage} sets {name}, which is not a parameter that a stage can set")
        allowed = list(map(str, described.get("AllowedValues", [value])))
        if value not in allowed:
            raise PackageError(f"stage {stage} sets {name} to {value}: it must be one of {', '.join(allowed)}")


def _translated(sam: Template) -> Template:
    from boto3.session import Session
    from samtranslator.model.exceptions import InvalidDocumentException  # type: ignore[import-untyped]
    from samtranslator.parser.parser import Parser  # type: ignore[import-untyped]
    from samtranslator.translator.translator import Translator  # type: ignore[import-untyped]

    # The translator needs a region to find the partition. The region is not in the result.
    translator = Translator(None, Parser(), boto_session=Session(region_name=ANY_REGION))
    try:
        translated: Template = translator.translate(sam, {})
    except InvalidDocumentException as error:
        raise PackageError(f"the template is not valid SAM: {error.message}") from None
    translator.metrics.publish()  # sends nothing, but avoids a warning about unpublished metrics
    return translated
