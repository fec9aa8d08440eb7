"""The template as a whole: what cfn-lint says, and that nothing of the machine it was made on is in it."""

from __future__ import annotations

import copy
import json
import re

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]

from infra.deploy import certificates
from infra.deploy.package import stage
from infra.deploy.package.gallery import references
from tests.template.resolved import Template, texts

# Nothing is let pass here. In the template itself E3691 is, for the database alone: cfn-lint knows MySQL's versions
# with three numbers only, and the newest 8.4 is wanted.
REGIONS = ["eu-central-1", "us-east-1", "ap-southeast-4"]


@pytest.mark.parametrize(("name", "gallery"), [("dev", "memory"), ("prod", "s3vectors")])
def test_cfn_lint_has_nothing_to_say(template: Template, whole: Template, name: str, gallery: str) -> None:
    chosen = copy.deepcopy(template if gallery == "memory" else whole)
    for parameter, value in (stage.parameters(name) | {"Gallery": gallery}).items():
        described = chosen["Parameters"][parameter]
        described["Default"] = int(value) if described["Type"] == "Number" else value

    matches = lint(json.dumps(chosen), regions=REGIONS)

    assert [str(match) for match in matches] == []


def test_cfn_lint_would_see_a_mistake(template: Template) -> None:
    broken = copy.deepcopy(template)
    broken["Resources"]["APIHandler"]["Properties"]["Runtime"] = "python2.7"

    assert [match.rule.id for match in lint(json.dumps(broken), regions=REGIONS)] != []


def test_one_rule_is_let_pass_in_one_place(template: Template) -> None:
    silenced = {
        name: resource["Metadata"] for name, resource in template["Resources"].items() if "Metadata" in resource
    }

    assert "Metadata" not in template
    assert silenced == {"Database": {"cfn-lint": {"config": {"ignore_checks": ["E3691"]}}}}


def test_it_is_plain_cloudformation(template: Template) -> None:
    assert "Transform" not in template
    assert not [name for name, resource in template["Resources"].items() if "Serverless" in resource["Type"]]


def test_every_parameter_can_still_be_chosen(template: Template, whole: Template) -> None:
    """Translating SAM before the parameters are known must not put their defaults in."""
    for each in (template, whole):
        used = references([each["Resources"], each["Conditions"], each["Outputs"]])

        assert each["Parameters"].keys() - used == set()


def test_it_is_for_any_region_and_account(template: Template) -> None:
    places = [f"{path}: {text}" for path, text in texts(template) if "us-east-1" in text or "000000000000" in text]

    assert places == [
        "/Mappings/Certificates/us-east-1/File: /var/task/chalicelib/stores/database/certificates/us-east-1.pem"
    ]


def test_it_tells_at_once_where_a_database_could_not_be_verified(template: Template) -> None:
    """A region that is not in the mapping stops CloudFormation before it makes anything."""
    assert list(template["Mappings"]["Certificates"]) == certificates.regions()


def test_no_secret_is_in_it(template: Template) -> None:
    secrets = (
        r"password|passwd|secret|private.?key",
        r"://[^/@\s]*:[^/@\s]+@",  # a URL with a password
        r"AKIA[A-Z0-9]{16}",
        r"BEGIN [A-Z ]*KEY",
        r"\b[A-Fa-f0-9]{32,}\b",
    )
    suspicious = re.compile("|".join(secrets), re.IGNORECASE)
    lines = [f"{path}: {text}" for path, text in texts(template) if "RestApi deployment id: " not in text]
    found = {line for line in lines if suspicious.search(line)}

    # RDS makes and keeps it; the template tells where.
    assert found == {
        "/Outputs/DatabaseSecretArn/Description: The administrator's name and password, made and kept by RDS",
        "/Outputs/DatabaseSecretArn/Value/Fn::GetAtt/0: Database",
        "/Outputs/DatabaseSecretArn/Value/Fn::GetAtt/1: MasterUserSecret.SecretArn",
    }
    assert template["Resources"]["Database"]["Properties"]["ManageMasterUserPassword"] is True
