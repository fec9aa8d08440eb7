"""Makes API Gateway ask for what a stage's Identity says: API keys, AWS signatures or bearer tokens."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from infra.deploy.package.errors import PackageError
from infra.deploy.package.template import Template

# The security scheme that Chalice gives to routes with an API key.
KEY = "api_key"
# API Gateway refuses other texts without asking the function.
FORM_OF_TOKENS = r"^[Bb]earer +[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$"
# How long API Gateway remembers a token's answer. The service itself checks when the token expires.
REMEMBERED_SECONDS = 300
AUTHORIZER = (
    "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/${Authorizer.Arn}/invocations"
)
# API Gateway's extensions to OpenAPI: "x-amazon-apigateway-authtype" and "x-amazon-apigateway-authorizer".
SCHEMES = {
    "iam": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "awsSigv4",
    },
    "jwt": {
        "type": "apiKey",
        "name": "Authorization",
        "in": "header",
        "x-amazon-apigateway-authtype": "custom",
        "x-amazon-apigateway-authorizer": {
            "type": "token",
            # The function has this condition.
            "authorizerUri": {"Fn::If": ["TokensAreChecked", {"Fn::Sub": AUTHORIZER}, {"Ref": "AWS::NoValue"}]},
            "authorizerResultTtlInSeconds": REMEMBERED_SECONDS,
            "identityValidationExpression": FORM_OF_TOKENS,
        },
    },
}
UNSIGNED = (
    '{"sucess":false,"error_code":"1001","error_msg":"BAD_ARGUMENTS",'
    '"detail":"the request must be signed with AWS credentials, or there is no such address","success":false}'
)


def for_identity(finished: Template, chosen: Mapping[str, str]) -> Template:
    """Return the template with the security of a stage's Identity on every route that has a key.

    Parameters
    ----------
    chosen
        The stage's parameters.

    Raises
    ------
    PackageError
        When tokens are to be checked, and the stage does not name their issuer and audience.
    """
    identity = chosen.get("Identity", "key")
    if identity == "key":
        return finished
    if missing := [name for name in ("TokenIssuer", "TokenAudience") if identity == "jwt" and not chosen.get(name)]:
        raise PackageError(f'the stage sets Identity to "jwt" but not {" and ".join(missing)}')
    changed = copy.deepcopy(finished)
    body = changed["Resources"]["RestAPI"]["Properties"]["Body"]
    body["securityDefinitions"] = {identity: SCHEMES[identity]}
    for methods in body["paths"].values():
        for method in methods.values():
            if {KEY: []} in method.get("security", []):
                method["security"] = [{identity: []}]
    if identity == "iam":
        # API Gateway does not distinguish an unsigned request from an unknown address.
        reply = body["x-amazon-apigateway-gateway-responses"]["MISSING_AUTHENTICATION_TOKEN"]
        reply |= {"statusCode": 403, "responseTemplates": {"application/json": UNSIGNED}}
    return changed
