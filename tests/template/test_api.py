"""The REST API of the template."""

from __future__ import annotations

import copy
import json
import re
from contextlib import nullcontext
from typing import Any

import pytest

from chalicelib import errors
from chalicelib.api import replies, response_headers
from chalicelib.errors import ServiceError
from chalicelib.settings import Settings, SettingsError
from infra.deploy.package import api_snapshot, stage
from infra.deploy.package.gallery import references
from tests.template.conftest import STAGES
from tests.template.resolved import Resolved, Template

# Routes without a key: whether the API is up, and how to use it.
NEED_NO_KEY = {
    (path, method) for path in ("/health", "/", "/upload", "/docs", "/openapi.json") for method in ("get", "head")
}
NEED_A_KEY = {
    ("/detect", "post"),
    ("/search", "get"),
    ("/search", "head"),
    ("/search", "post"),
    ("/addface", "get"),
    ("/removeface", "get"),
    ("/info", "get"),
}


def _methods(stack: Resolved) -> dict[tuple[str, str], dict[str, Any]]:
    paths = stack.properties("RestAPI")["Body"]["paths"]
    return {(path, method): described for path, methods in paths.items() for method, described in methods.items()}


def test_every_method_but_the_exempt_ones_needs_a_key(stack: Resolved) -> None:
    with_key = {name for name, method in _methods(stack).items() if {"api_key": []} in method.get("security", [])}

    assert with_key >= NEED_A_KEY
    # A browser's preflight carries no key.
    assert _methods(stack).keys() - with_key == NEED_NO_KEY | {(path, "options") for path, _ in _methods(stack)}
    assert stack.properties("RestAPI")["Body"]["securityDefinitions"] == {
        "api_key": {"type": "apiKey", "name": "x-api-key", "in": "header"}
    }


def test_the_function_answers_every_method(stack: Resolved) -> None:
    for method in _methods(stack).values():
        integration = method["x-amazon-apigateway-integration"]
        assert integration["type"] == "aws_proxy"
        assert integration["uri"].endswith("functions/${APIHandler.Arn}:live/invocations")


def test_pictures_reach_the_function_byte_for_byte(stack: Resolved) -> None:
    types = stack.properties("RestAPI")["Body"]["x-amazon-apigateway-binary-media-types"]

    assert "multipart/form-data" in types


def test_tls_older_than_1_2_is_refused(stack: Resolved) -> None:
    api = stack.properties("RestAPI")

    assert api["SecurityPolicy"] == "SecurityPolicy_TLS13_1_2_2021_06"
    assert api["EndpointAccessMode"] == "BASIC"  # required for that policy
    assert api["EndpointConfiguration"] == {"Types": ["REGIONAL"]}


def test_other_sites_may_call_the_api_only_if_a_stage_allows_it(stack: Resolved, template: Template) -> None:
    assert "Access-Control" not in json.dumps(stack.properties("RestAPI"))
    assert stack.properties("APIHandler")["Environment"]["Variables"]["CORS_ORIGIN"] == ""

    chosen = Resolved(template, {"CorsOrigin": "https://example.com"})
    assert chosen.properties("APIHandler")["Environment"]["Variables"]["CORS_ORIGIN"] == "https://example.com"
    answers = chosen.properties("RestAPI")["Body"]["x-amazon-apigateway-gateway-responses"]
    for answer in answers.values():
        origin = answer["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
        assert origin == "'https://example.com'"


@pytest.mark.parametrize(
    ("origin", "accepted"),
    [
        *((origin, True) for origin in ("", "*", "https://example.com", "http://localhost:3000")),
        *((origin, False) for origin in ("example.com", "https://example.com/", "https://a.b, https://c.d", "null")),
        ("https://example.com\nX: y", False),
    ],
)
def test_the_template_and_the_service_accept_the_same_origins(template: Template, origin: str, accepted: bool) -> None:
    pattern = template["Parameters"]["CorsOrigin"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, origin)) == accepted
    with nullcontext() if accepted else pytest.raises(SettingsError, match=r"^CORS_ORIGIN must be"):
        assert Settings.from_environment({"CORS_ORIGIN": origin}).cors_origin == (origin or None)


def test_the_usage_plan_throttles(dev: Resolved, prod: Resolved) -> None:
    for stack, rate, burst in ((dev, 10, 20), (prod, 50, 100)):
        throttle = stack.properties("UsagePlan")["Throttle"]
        assert (int(throttle["RateLimit"]), int(throttle["BurstLimit"])) == (rate, burst)
        [settings] = stack.properties("RestAPIapiStage")["MethodSettings"]
        assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
        assert (int(settings["ThrottlingRateLimit"]), int(settings["ThrottlingBurstLimit"])) == (rate, burst)


def test_the_key_belongs_to_the_plan_and_the_plan_to_the_stage(stack: Resolved) -> None:
    assert stack.properties("UsagePlan")["ApiStages"] == [
        {"ApiId": {"Ref": "RestAPI"}, "Stage": {"Ref": "RestAPIapiStage"}}
    ]
    assert stack.properties("UsagePlanKey") == {
        "KeyId": {"Ref": "ApiKey"},
        "KeyType": "API_KEY",
        "UsagePlanId": {"Ref": "UsagePlan"},
    }
    assert "Value" not in stack.properties("ApiKey")


def test_a_quota_is_set_if_a_stage_has_one(template: Template) -> None:
    assert "Quota" not in Resolved(template, {}).properties("UsagePlan")
    limited = Resolved(template, {"RequestsPerDay": "1000"}).properties("UsagePlan")
    assert limited["Quota"] == {"Limit": "1000", "Period": "DAY"}


def test_access_logs_contain_no_private_data(stack: Resolved) -> None:
    setting = stack.properties("RestAPIapiStage")["AccessLogSetting"]

    assert setting["DestinationArn"] == {"Fn::GetAtt": ["AccessLog", "Arn"]}
    logged = json.loads(setting["Format"])
    assert {"request", "method", "path", "status", "latency"} <= logged.keys()
    # The path with its query, all headers or the key's value would reveal names, tokens and secrets.
    allowed = {
        "$context.authorizer.principalId",
        "$context.error.responseType",
        "$context.httpMethod",
        "$context.identity.apiKeyId",
        "$context.identity.sourceIp",
        "$context.identity.userAgent",
        "$context.identity.userArn",
        "$context.integrationLatency",
        "$context.requestId",
        "$context.requestTime",
        "$context.resourcePath",
        "$context.responseLatency",
        "$context.responseLength",
        "$context.status",
        "$context.tlsVersion",
    }
    assert set(logged.values()) <= allowed


def test_the_api_has_one_stage(whole: Template) -> None:
    """A stage that a deployment creates would have no throttling and no access log."""
    resources = whole["Resources"].values()

    assert [each["Properties"]["StageName"] for each in resources if each["Type"] == "AWS::ApiGateway::Stage"] == [
        "api"
    ]
    [deployment] = [each["Properties"] for each in resources if each["Type"] == "AWS::ApiGateway::Deployment"]
    assert deployment.keys() == {"Description", "RestApiId"}
    assert [each["Stage"] for each in Resolved(whole, {}).properties("UsagePlan")["ApiStages"]] == [
        {"Ref": "RestAPIapiStage"}
    ]


class TestANewSnapshotIsServed:
    """A deployment is a new resource whenever the snapshot of the API that it takes has changed."""

    def deployment(self, template: Template, chosen: dict[str, str], **changes: Any) -> str:
        changed = copy.deepcopy(template)
        changed["Resources"]["RestAPI"]["Properties"] |= changes
        resources = api_snapshot.redeployed(changed, chosen)["Resources"]
        [name] = [name for name, each in resources.items() if each["Type"] == "AWS::ApiGateway::Deployment"]
        assert resources["RestAPIapiStage"]["Properties"]["DeploymentId"] == {"Ref": name}
        return str(name)

    def test_the_template_has_the_deployment_of_its_stage(self, template: Template) -> None:
        for name in STAGES:
            assert self.deployment(template, stage.parameters(name)) in template["Resources"]

    def test_a_parameter_of_the_api_changes_the_deployment(self, template: Template) -> None:
        before = self.deployment(template, {})

        assert self.deployment(template, {"CorsOrigin": ""}) == before
        others = {self.deployment(template, {"CorsOrigin": origin}) for origin in ("*", "https://example.com")}
        assert len(others | {before}) == 3

    def test_other_parameters_do_not(self, template: Template) -> None:
        assert self.deployment(template, {"RequestBurst": "7", "DatabaseBackupDays": "2"}) == self.deployment(
            template, {}
        )

    @pytest.mark.parametrize("name", ["Body", "MinimumCompressionSize", "Policy"])
    def test_a_property_of_the_api_changes_the_deployment(self, template: Template, name: str) -> None:
        assert self.deployment(template, {}, **{name: {"changed": True}}) != self.deployment(template, {})


def test_requests_are_not_logged(stack: Resolved) -> None:
    [settings] = stack.properties("RestAPIapiStage")["MethodSettings"]

    assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("OFF", False)


def test_the_accounts_log_role_is_set_before_the_stage(template: Template) -> None:
    created = Resolved(template, {})
    waits_for = references(created.properties("RestAPIapiStage"))
    assert "AccessLog" in waits_for
    assert "ApiLogsAccount" in references(created.properties("AccessLog"))
    assert created.properties("ApiLogsAccount") == {"CloudWatchRoleArn": {"Fn::GetAtt": ["ApiLogsRole", "Arn"]}}
    # Other APIs of the account use this role too.
    for name in ("ApiLogsAccount", "ApiLogsRole"):
        assert created.resources[name]["DeletionPolicy"] == "RetainExceptOnCreate"

    exists = Resolved(template, {"ApiLogsAccountRole": "exists"})
    assert {"ApiLogsAccount", "ApiLogsRole"} & exists.resources.keys() == set()


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("INVALID_API_KEY", ServiceError("1001", 403, "an API key is required in the header x-api-key")),
        ("UNAUTHORIZED", errors.no_valid_token()),
        ("ACCESS_DENIED", errors.bad_argument("the caller may not send this request", status=403)),
        *((kind, errors.unsigned()) for kind in ("INVALID_SIGNATURE", "EXPIRED_TOKEN")),
        ("MISSING_AUTHENTICATION_TOKEN", errors.bad_argument("there is no such address", status=404)),
        (
            "REQUEST_TOO_LARGE",
            errors.file_error("the request is too large; GET /info gives the largest picture", status=413),
        ),
        ("THROTTLED", ServiceError("1003", 429, "there are too many requests at the moment; try again", retry_after=1)),
        ("QUOTA_EXCEEDED", ServiceError("1003", 429, "this API key has used up its requests of the day")),
        ("DEFAULT_4XX", errors.bad_argument("the request cannot be read")),
        ("DEFAULT_5XX", ServiceError("1003", 500, "the server failed or took too long", retry_after=2)),
    ],
)
def test_api_gateways_own_replies_have_the_contracts_form(stack: Resolved, kind: str, error: ServiceError) -> None:
    answer = stack.properties("RestAPI")["Body"]["x-amazon-apigateway-gateway-responses"][kind]
    reply = replies.failure(error)

    assert json.loads(answer["responseTemplates"]["application/json"]) == reply.body
    given = {**reply.headers, **response_headers.HTTPS_ONLY}
    headers = {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in given.items()}
    assert answer["responseParameters"] == headers
    # The other replies keep API Gateway's own status.
    assert answer.get("statusCode") == ("404" if kind == "MISSING_AUTHENTICATION_TOKEN" else None)
