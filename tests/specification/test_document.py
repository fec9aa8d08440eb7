"""The document and the routes match in both directions."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

import app
from chalicelib.api import arguments, bodies
from chalicelib.api.openapi import parameters
from chalicelib.api.openapi.document import VERSION, openapi
from chalicelib.api.replies import TWINS
from chalicelib.errors import ServiceError
from chalicelib.settings import IDENTITIES
from tests.e2e.lambda_api import LambdaApi, event
from tests.specification.conformance import URI, assert_valid, resolved

ROOT = Path(__file__).parents[2]


def operations() -> dict[tuple[str, str], Any]:
    return {
        (method.upper(), path): operation
        for path, by_method in openapi()["paths"].items()
        for method, operation in by_method.items()
    }


def routes() -> dict[tuple[str, str], Any]:
    """Return all routes except those that answer browsers' preflights."""
    return {
        (method, path): route
        for path, by_method in app.app.routes.items()
        for method, route in by_method.items()
        if method != "OPTIONS"
    }


class Recorded(dict[str, Any]):
    """Arguments that record which of them were read."""

    def __init__(self, given: dict[str, Any]) -> None:
        super().__init__(given)
        self.read: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.read.add(key)
        return super().get(key, default)


class Stop(Exception):  # noqa: N818  # no error
    """Stands in for the service: every call raises it."""

    def __getattr__(self, name: str) -> Stop:
        return self

    def __call__(self, *_: object, **__: object) -> None:
        raise self


def declared(operation: dict[str, Any]) -> set[str]:
    names = {parameter["name"] for parameter in operation.get("parameters", ())}
    return names.union(*(schema["properties"] for schema in _bodies(operation)))


def _bodies(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas of a request's body; the first is a multipart form's, which has all arguments."""
    content = operation.get("requestBody", {"content": {}})["content"]
    assert list(content) in ([], [bodies.MULTIPART, bodies.URL_ENCODED, bodies.JSON])
    return [media["schema"] for media in content.values()]


def _example(body: dict[str, Any]) -> dict[str, Any]:
    """Return a body with the example of each argument, and with the last of those that exclude each other."""
    names = set(body["properties"])
    for rule in body.get("allOf", ()):
        names -= {name for one in rule["oneOf"][:-1] for name in one["required"]}
    own = {"image_base64": "QUJD", "face_token1": "A" * 24, "face_token2": "B" * 24}
    return {
        name: field.get("examples", [own.get(name)])[0] for name, field in body["properties"].items() if name in names
    }


def _parts(operation: dict[str, Any]) -> dict[str, list[bytes]]:
    return {
        name: [str(one).encode() for one in (value if isinstance(value, list) else [value])]
        for schema in _bodies(operation)[:1]
        for name, value in _example(schema).items()
    }


def test_the_document_is_openapi_3_1() -> None:
    assert openapi()["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(openapi()).validate()


@pytest.mark.parametrize("identity", IDENTITIES)
def test_the_security_follows_the_setting(identity: str) -> None:
    described = openapi(identity)
    OpenAPIV31SpecValidator(described).validate()

    [scheme] = described["components"]["securitySchemes"]
    refused = {"key": {"403"}, "iam": {"403"}, "jwt": {"401", "403"}}[identity]
    for (method, path), operation in operations().items():
        own = described["paths"][path][method.lower()]
        if operation["security"]:
            assert own["security"][0] == {scheme: []}
            assert {"401", "403"} & own["responses"].keys() == refused
        else:
            assert own == operation
    if identity != "key":
        assert "API key" not in json.dumps(described)


def test_the_document_is_served() -> None:
    reply = LambdaApi().get("/openapi.json")

    assert (reply.status, reply.headers["content-type"], reply.body) == (200, "application/json", openapi())


def test_the_head_of_the_document_has_no_body() -> None:
    reply = LambdaApi().handle(event("HEAD", "/openapi.json", (), {}, None))

    assert (reply["statusCode"], reply["body"]) == (200, "")


def test_the_documents_version_is_the_projects() -> None:
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == VERSION


def test_the_document_has_every_route_and_no_other() -> None:
    assert set(operations()) == set(routes())


@pytest.mark.parametrize("route", operations(), ids=" ".join)
def test_a_key_is_required_where_the_document_says_so(route: tuple[str, str]) -> None:
    assert bool(operations()[route]["security"]) == bool(routes()[route].api_key_required)


PAGES = [(method, path) for method in ("GET", "HEAD") for path in ("/", "/upload", "/docs")]


@pytest.mark.parametrize("route", [route for route in operations() if route not in PAGES], ids=" ".join)
def test_a_route_reads_exactly_its_declared_arguments(route: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each view receives the document's own examples and is stopped after reading them."""
    operation = operations()[route]
    query = Recorded({one["name"]: [str(one["example"])] for one in operation.get("parameters", ())})
    form = Recorded(_parts(operation))
    monkeypatch.setattr(app, "wiring", Stop)

    try:
        routes()[route].view_function.__wrapped__(arguments.Arguments(query, form))
    except Stop:
        pass
    except ServiceError as error:
        pytest.fail(f"an example was refused: {error}")

    assert query.read | form.read == declared(operation)


@pytest.mark.parametrize("route", [route for route in operations() if route not in PAGES], ids=" ".join)
def test_a_route_refuses_without_exactly_its_required_parameters(
    route: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    declared_ones = operations()[route].get("parameters", ())
    form = _parts(operations()[route])
    monkeypatch.setattr(app, "wiring", Stop)

    for left_out in declared_ones:
        query = {one["name"]: [str(one["example"])] for one in declared_ones if one is not left_out}
        refused = False
        try:
            routes()[route].view_function.__wrapped__(arguments.Arguments(query, form))
        except Stop:
            pass
        except ServiceError:
            refused = True
        assert refused == left_out["required"], left_out["name"]


def test_the_placeholders_of_a_path_are_declared() -> None:
    for (_, path), operation in operations().items():
        in_path = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path))


def test_every_operation_has_a_unique_name() -> None:
    names = [operation["operationId"] for operation in operations().values()]

    assert len(set(names)) == len(names)


def test_a_head_answers_as_its_get_without_a_body() -> None:
    heads = [path for method, path in operations() if method == "HEAD"]

    assert {path for method, path in operations() if method == "GET"} - set(heads) == {"/addface", "/removeface"}
    for path in heads:
        get, head = (openapi()["paths"][path][method] for method in ("get", "head"))
        assert head.get("parameters") == get.get("parameters")
        for status, response in get["responses"].items():
            expected = {name: part for name, part in resolved(response).items() if name in ("description", "headers")}
            assert head["responses"][status] == expected


@pytest.mark.parametrize("route", [route for route in operations() if route[0] != "HEAD"], ids=" ".join)
def test_examples_of_errors_are_errors(route: tuple[str, str]) -> None:
    responses = {status: resolved(one) for status, one in operations()[route]["responses"].items()}
    refusals = {status: one for status, one in responses.items() if int(status) >= 400}

    assert "500" in refusals
    for refusal in refusals.values():
        found = refusal["content"]["application/json"]["examples"].values()
        assert found
        for example in found:
            assert_valid(example["value"], f"{URI}#/components/schemas/Error")


@pytest.mark.parametrize("route", operations(), ids=" ".join)
def test_every_body_takes_the_same_arguments_but_files(route: tuple[str, str]) -> None:
    for form, *others in filter(None, [_bodies(operations()[route])]):
        texts = {name: field for name, field in form["properties"].items() if field.get("format") != "binary"}
        for other in others:
            assert other["properties"] == texts
        for schema in (form, *others):
            example = _example(schema)
            assert bodies.read_body(json.dumps(example).encode(), bodies.JSON).keys() == example.keys()
            OAS31Validator(schema).validate(example)


def test_examples_of_arguments_are_valid() -> None:
    for argument in vars(parameters).values():
        if isinstance(argument, parameters.Argument) and argument.example is not None:
            OAS31Validator(argument.schema).validate(argument.example)


@pytest.mark.parametrize(
    "name", ["a", "-", "...", "a.b", "A" * 64, "", "A" * 65, ".", "..", "a b", "a/b", "é", "default"]
)
def test_the_pattern_of_face_sets_equals_the_services(name: str) -> None:
    accepted = bool(re.search(parameters.NEW_FACE_SET.schema["pattern"], name))
    can_be_deleted = bool(re.search(parameters.OTHER_FACE_SET.schema["pattern"], name))
    try:
        arguments.Arguments({"face_set": [name]}).named_face_set()
    except ServiceError:
        assert not accepted
    else:
        assert accepted
    assert can_be_deleted == (accepted and name != "default")


def test_every_misspelt_field_has_a_correctly_spelt_twin() -> None:
    for schema in openapi()["components"]["schemas"].values():
        fields, required = schema.get("properties", {}), schema.get("required", ())
        for misspelt, twin in TWINS.items():
            if misspelt in fields:
                assert {misspelt, twin} <= set(fields)
                assert (misspelt in required) == (twin in required)


def test_every_schema_is_used() -> None:
    referred = set(re.findall(r"#/components/schemas/(\w+)", str(openapi())))

    assert set(openapi()["components"]["schemas"]) == referred
