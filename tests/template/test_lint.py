"""The whole template passes cfn-lint and contains nothing from the machine that built it."""

from __future__ import annotations

import copy
import json
import re

import pytest

from infra.deploy import certificates
from infra.deploy.package import stage
from infra.deploy.package.gallery import references
from infra.deploy.package.identity import for_identity
from tests.template.conftest import EXTRAS, IMAGE
from tests.template.resolved import Template, texts

# No rule is disabled here. The template disables E3691 for the database alone, because cfn-lint knows only MySQL
# versions with three numbers, and the stack uses the newest 8.4.
REGIONS = ["eu-central-1", "us-east-1", "ap-southeast-4"]


@pytest.mark.parametrize(
    ("name", "extras"), [("dev", {"Gallery": "memory"} | IMAGE), ("prod", {"Gallery": "s3vectors"} | EXTRAS)]
)
def test_cfn_lint_finds_no_problem(with_image: Template, whole: Template, name: str, extras: dict[str, str]) -> None:
    from cfnlint.api import lint  # takes seconds

    chosen = for_identity(copy.deepcopy(with_image if "ImageUri" in extras else whole), extras)
    for parameter, value in (stage.parameters(name) | extras).items():
        described = chosen["Parameters"][parameter]
        described["Default"] = int(value) if described["Type"] == "Number" else value

    matches = lint(json.dumps(chosen), regions=REGIONS)

    assert [str(match) for match in matches] == []


def test_cfn_lint_detects_a_mistake(template: Template) -> None:
    broken = copy.deepcopy(template)
    broken["Resources"]["APIHandler"]["Properties"]["Runtime"] = "python2.7"

    from cfnlint.api import lint

    assert [match.rule.id for match in lint(json.dumps(broken), regions=REGIONS)] != []


def test_one_rule_is_disabled_in_one_place(template: Template) -> None:
    silenced = {
        name: resource["Metadata"] for name, resource in template["Resources"].items() if "Metadata" in resource
    }

    assert "Metadata" not in template
    assert silenced == {"Database": {"cfn-lint": {"config": {"ignore_checks": ["E3691"]}}}}


def test_the_template_is_plain_cloudformation(template: Template) -> None:
    assert "Transform" not in template
    assert not [name for name, resource in template["Resources"].items() if "Serverless" in resource["Type"]]


def test_every_parameter_can_still_be_chosen(template: Template, whole: Template) -> None:
    """Translating SAM before the parameters are known must not insert their defaults."""
    for each in (template, whole):
        used = references([each["Resources"], each["Conditions"], each["Outputs"]])

        assert each["Parameters"].keys() - used == set()


def test_the_template_fits_any_region_and_account(template: Template) -> None:
    places = [f"{path}: {text}" for path, text in texts(template) if "us-east-1" in text or "000000000000" in text]

    assert places == [
        "/Mappings/Certificates/us-east-1/File: /var/task/chalicelib/stores/database/certificates/us-east-1.pem"
    ]


def test_a_region_without_certificates_is_refused_at_once(template: Template) -> None:
    """A region that is not in the mapping stops CloudFormation before it creates anything."""
    assert list(template["Mappings"]["Certificates"]) == certificates.regions()


def test_the_template_contains_no_secret(template: Template) -> None:
    secrets = (
        r"password|passwd|secret|private.?key",
        r"://[^/@\s]*:[^/@\s]+@",  # a URL with a password
        r"AKIA[A-Z0-9]{16}",
        r"BEGIN [A-Z ]*KEY",
        r"\b[A-Fa-f0-9]{32,}\b",
    )
    suspicious = re.compile("|".join(secrets), re.IGNORECASE)
    known = re.compile(r"^/(Outputs|Parameters)/DatabaseSecretArn|MasterUserSecret")
    found = {
        path for path, text in texts(template) if suspicious.search(text) or suspicious.search(known.sub("", path))
    }

    # RDS creates and stores the secret; the template only outputs its ARN, or the one of your own database's.
    assert found == {
        "/Outputs/DatabaseSecretArn/Description",
        "/Outputs/DatabaseSecretArn/Value/Fn::If/1/Fn::GetAtt/1",
        "/Outputs/DatabaseSecretArn/Value/Fn::If/2/Fn::If/1/Fn::GetAtt/1",
        "/Outputs/DatabaseSecretArn/Value/Fn::If/2/Fn::If/2/Ref",
        "/Parameters/DatabaseSecretArn/Description",
    }
    assert template["Resources"]["Aurora"]["Properties"]["ManageMasterUserPassword"] is True
    assert template["Resources"]["Database"]["Properties"]["ManageMasterUserPassword"] is True
