"""Between Chalice and the routes: reads a request's arguments, and gives every failure the contract's shape."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from chalice.app import Chalice, Request, Response

from chalicelib import deadline, errors
from chalicelib.api import arguments, cors, replies, request_event, response_headers
from chalicelib.api.console import Page
from chalicelib.api.reply_bytes import as_text
from chalicelib.errors import ServiceError
from chalicelib.settings import SettingsError, current_settings
from chalicelib.telemetry import logs

log = logging.getLogger(__name__)

View = Callable[[arguments.Arguments], Any]


class Service(Chalice):
    """The app, which also refuses what is no request's event in the contract's words, and answers HEAD without a body.

    `keeps_head_bodies` is for a server that leaves the body of a HEAD out by itself, once it knows its length.
    """

    keeps_head_bodies = False

    def __call__(self, event: Any, context: Any) -> Any:
        try:
            event = request_event.whole(event, self.routes)
        except ServiceError as error:
            logs.begin_invocation(function_request_id=getattr(context, "aws_request_id", None))
            log.warning("an event was refused: %s", error.detail)
            return replies.failure(error).to_dict()
        reply = super().__call__(event, context)
        if event["requestContext"]["httpMethod"] == "HEAD" and not self.keeps_head_bodies:
            reply |= {"body": "", "isBase64Encoded": False}
        return reply


def endpoint(
    app: Chalice, path: str, method: str, *, key: bool = True, pictures: int = 1, changes: bool = False
) -> Callable[[View], View]:
    """Register a view for one path and method; it is given the request's arguments, with up to so many pictures.

    With `key`, API Gateway lets only those through who send an API key as x-api-key; no local server asks for one.
    A GET is registered for HEAD too, unless it `changes` something: HEAD must be safe (RFC 9110, 9.2.1).
    """

    def register(view: View) -> View:
        @functools.wraps(view)
        def answer(**path_arguments: str) -> Any:
            try:
                request = app.current_request
                assert request is not None
                with deadline.within(_request_seconds()):
                    return view(_arguments(request, path_arguments, pictures))
            except ServiceError as error:
                return replies.failure(error)
            except Exception:  # whatever it is, the client gets the contract's form and nothing of the inside
                log.exception("%s %s failed", method, path)
                return replies.failure(errors.internal_error())

        # Any content type may come in: what is not a form is answered by `uploads`, in the contract's words.
        methods = ["GET", "HEAD"] if method == "GET" and not changes else [method]
        app.route(path, methods=methods, content_types=["*/*"], name=view.__name__, api_key_required=key)(answer)
        return view

    return register


def _request_seconds() -> float:
    try:
        return current_settings().request_seconds
    except SettingsError:  # requests that need settings report the error themselves
        return deadline.REQUEST_SECONDS


def document(app: Chalice, paths: Sequence[str], page: Callable[[], Page]) -> None:
    """Serve a page at some paths, to everyone: it holds nothing that needs an API key."""

    def answer() -> Response:
        request = app.current_request
        assert request is not None
        headers: dict[str, str | list[str]] = {**page().headers}
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response("", headers, HTTPStatus.NOT_MODIFIED)
        return Response(page().text, headers)

    for path in paths:
        app.route(path, methods=["GET", "HEAD"], name=f"page {path}", content_types=["*/*"])(answer)


def preflights(app: Chalice) -> None:
    """Answer a browser that asks whether another origin's page may call an address: to be called after all routes.

    Without CORS_ORIGIN that method is refused as any other. API Gateway has to know it in either case.
    """

    def answer(**_: str) -> Response:
        request = app.current_request
        assert request is not None
        methods = app.routes[request.path]
        if cors.origin() is None:
            return _wrong_method(methods)
        return Response("", {"Content-Type": "text/plain", **cors.permission(_allowed(methods))})

    for path in list(app.routes):
        app.route(path, methods=["OPTIONS"], name=f"preflight {path}", content_types=["*/*"])(answer)


def _allowed(methods: Iterable[str]) -> list[str]:
    return [method for method in methods if method != "OPTIONS" or cors.origin()]


def _wrong_method(methods: Iterable[str]) -> Response:
    refusal = replies.failure(_REFUSALS[405])
    refusal.headers["Allow"] = ", ".join(_allowed(methods))
    return refusal


def _arguments(request: Request, path_arguments: dict[str, str], pictures: int) -> arguments.Arguments:
    given = request.query_params
    query = {} if given is None else {name: given.getlist(name) for name in given}
    for name, value in path_arguments.items():
        # Escaped or not: no value that is accepted has a percent sign.
        query[name] = [unquote(value), *query.get(name, ())]
    if request.method not in ("POST", "PUT"):
        return arguments.Arguments(query)
    try:
        body = request.raw_body
    except ValueError:  # not the base64, or not the text, that it is said to be
        raise errors.upload_error("the body cannot be read") from None
    assert isinstance(body, bytes)
    if not body:  # whatever type many clients announce for it
        return arguments.Arguments(query)
    return arguments.Arguments(query, arguments.read_form(body, request.headers.get("content-type", ""), pictures))


# What Chalice itself refuses, in the contract's terms, by HTTP status.
_REFUSALS = {
    403: errors.bad_argument("the request is not allowed", status=403),
    404: errors.bad_argument("there is no such address", status=404),
    405: errors.bad_argument("this address does not take that method", status=405),
    415: errors.upload_error("the body must be multipart/form-data"),
}


def _refusal(status: int) -> ServiceError:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.internal_error()
    return _REFUSALS.get(status, errors.bad_argument("the request cannot be read", status=status))


def keep_error_shape(request: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: turn the errors that Chalice answers by itself into the contract's."""
    response = get_response(request)
    if response.status_code < 400 or (isinstance(response.body, dict) and "error_code" in response.body):
        return response
    if "Allow" in response.headers:
        return _wrong_method(str(response.headers["Allow"]).split(", "))
    return replies.failure(_refusal(response.status_code))


def write_json(request: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: write the body as JSON, of which Chalice would escape all that is not ASCII."""
    response = get_response(request)
    if not isinstance(response.body, str | bytes):
        response.body = as_text(response.body)
    return response


def complete_headers(request: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: add the headers that every reply has."""
    response = get_response(request)
    response_headers.complete(response.headers)
    return response
