"""Who may call a stage's API: API keys, AWS signatures or bearer tokens."""

from __future__ import annotations

import importlib
import re
from typing import Any

import pytest

from chalicelib.settings import IDENTITIES
from infra.deploy.layers import __main__ as layers
from infra.deploy.package import api_snapshot
from infra.deploy.package.errors import PackageError
from infra.deploy.package.identity import FORM_OF_TOKENS, REMEMBERED_SECONDS, for_identity
from tests import identity
from tests.template.resolved import Resolved, Template
from tests.template.test_api import NEED_NO_KEY

CHOSEN = {
    "key": {"Identity": "key"},
    "iam": {"Identity": "iam"},
    "jwt": {"Identity": "jwt", "TokenIssuer": "https://issuer.example", "TokenAudience": "face-search"},
}


@pytest.fixture
def stages(template: Template) -> dict[str, Resolved]:
    return {name: Resolved(for_identity(template, chosen), chosen) for name, chosen in CHOSEN.items()}


def _body(stack: Resolved) -> dict[str, Any]:
    body: dict[str, Any] = stack.properties("RestAPI")["Body"]
    return body


def test_the_parameter_has_the_settings_values(template: Template, stages: dict[str, Resolved]) -> None:
    assert tuple(template["Parameters"]["Identity"]["AllowedValues"]) == IDENTITIES
    for name, stack in stages.items():
        assert stack.properties("APIHandler")["Environment"]["Variables"]["IDENTITY"] == name
        assert stack.outputs["Identity"]["Value"] == name


@pytest.mark.parametrize("name", ["iam", "jwt"])
def test_every_method_but_the_exempt_ones_needs_the_stages_proof(stages: dict[str, Resolved], name: str) -> None:
    for path, methods in _body(stages[name])["paths"].items():
        for method, described in methods.items():
            open_to_all = (path, method) in NEED_NO_KEY or method == "options"
            assert described.get("security", []) == ([] if open_to_all else [{name: []}])
    assert list(_body(stages[name])["securityDefinitions"]) == [name]


def test_signatures_are_checked_by_api_gateway(stages: dict[str, Resolved]) -> None:
    [scheme] = _body(stages["iam"])["securityDefinitions"].values()

    assert scheme["x-amazon-apigateway-authtype"] == "awsSigv4"
    unsigned = _body(stages["iam"])["x-amazon-apigateway-gateway-responses"]["MISSING_AUTHENTICATION_TOKEN"]
    assert unsigned["statusCode"] == 403
    other = _body(stages["key"])["x-amazon-apigateway-gateway-responses"]["MISSING_AUTHENTICATION_TOKEN"]
    assert int(other["statusCode"]) == 404


def test_tokens_are_checked_by_the_function(stages: dict[str, Resolved]) -> None:
    stack = stages["jwt"]
    [scheme] = _body(stack)["securityDefinitions"].values()
    asked, function = scheme["x-amazon-apigateway-authorizer"], stack.properties("Authorizer")

    assert (scheme["x-amazon-apigateway-authtype"], asked["type"]) == ("custom", "token")
    assert "${Authorizer.Arn}" in asked["authorizerUri"]
    assert asked["authorizerResultTtlInSeconds"] == REMEMBERED_SECONDS
    module, name = function["Handler"].rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))
    assert function["Environment"]["Variables"] == {
        "TOKEN_ISSUER": "https://issuer.example",
        "TOKEN_AUDIENCE": "face-search",
        "FACE_SETS_CLAIM": "face_sets",
        "ACCESS_CLAIM": "access",
    }
    permission = stack.properties("AuthorizerPermission")
    assert permission["Principal"] == "apigateway.amazonaws.com"
    assert permission["SourceArn"].endswith(":${RestAPI}/authorizers/*")


def test_the_function_has_its_own_layer_no_network_and_only_writes_logs(stages: dict[str, Resolved]) -> None:
    stack = stages["jwt"]
    function = stack.properties("Authorizer")

    assert function["Layers"] == [{"Ref": "IdentityLayer"}]
    assert "VpcConfig" not in function
    assert [statement for role, statement in stack.statements() if role == "AuthorizerRole"] == [
        {
            "Effect": "Allow",
            "Action": ["logs:CreateLogStream", "logs:PutLogEvents"],
            "Resource": {"Fn::GetAtt": ["AuthorizerLog", "Arn"]},
        }
    ]


@pytest.mark.parametrize("name", ["key", "iam"])
def test_other_stages_have_neither_the_function_nor_its_layer(stages: dict[str, Resolved], name: str) -> None:
    assert [each for each in stages[name].resources if "Authorizer" in each or "Identity" in each] == []


def test_api_gateway_passes_on_only_what_may_be_a_token() -> None:
    token = identity.signed(identity.ec_key(), "ES256")

    assert re.fullmatch(FORM_OF_TOKENS, f"Bearer {token}")
    assert re.fullmatch(FORM_OF_TOKENS, f"bearer {token}")
    for other in (token, "Bearer x", f"Basic {token}", f"Bearer {token}.x", f"Bearer {token} x", "Bearer a.b."):
        assert not re.fullmatch(FORM_OF_TOKENS, other)


@pytest.mark.parametrize(
    ("left_out", "message"),
    [("TokenIssuer", "but not TokenIssuer"), ("TokenAudience", "but not TokenAudience")],
)
def test_a_stage_without_an_issuer_or_an_audience_is_refused(template: Template, left_out: str, message: str) -> None:
    with pytest.raises(PackageError, match=message):
        for_identity(template, {name: value for name, value in CHOSEN["jwt"].items() if name != left_out})


def test_another_identity_deploys_the_api_again(template: Template) -> None:
    def deployment(name: str) -> str:
        changed = api_snapshot.redeployed(for_identity(template, CHOSEN[name]), CHOSEN[name])
        [found] = [each for each in changed["Resources"] if each.startswith("RestAPIDeployment")]
        return str(found)

    assert len({deployment(name) for name in CHOSEN}) == len(CHOSEN)


def test_the_layers_packages_are_the_tested_ones() -> None:
    pinned, tested = (
        dict(re.findall(r"^([A-Za-z0-9-]+)==(\S+)", file.read_text("utf-8"), re.MULTILINE))
        for file in (layers.IDENTITY_REQUIREMENTS, layers.ROOT / "tests" / "requirements.txt")
    )

    assert pinned.keys() == {"cffi", "cryptography", "joserfc", "pycparser"}
    assert pinned.items() <= tested.items()
