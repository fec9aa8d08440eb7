"""Connects Chalice to the routes: reads a request's arguments, and answers every failure with a contract error."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from chalice.app import Chalice, Request, Response

from chalicelib import deadline, errors, happenings
from chalicelib.api import arguments, bodies, cors, permissions, replies, request_event, response_headers
from chalicelib.api.callers import SetsOf, caller, caller_id
from chalicelib.api.console import Page
from chalicelib.api.reply_bytes import as_text
from chalicelib.errors import ServiceError
from chalicelib.happenings import Happening
from chalicelib.settings import SettingsError, current_settings
from chalicelib.telemetry import audit, logs

log = logging.getLogger(__name__)

View = Callable[[arguments.Arguments], Any]


class Service(Chalice):
    """The app. It also answers malformed events with a contract error, and HEAD without a body.

    `sets_of` finds the face sets of tokens. `publish` announces what a request did, and must not raise. Set
    `keeps_head_bodies` for a server that omits the body of a HEAD reply itself, after reading its length.
    """

    keeps_head_bodies = False
    # Set by app.py, as this module knows no store.
    sets_of: SetsOf
    publish: Callable[[Sequence[Happening]], None]

    def __call__(self, event: Any, context: Any) -> Any:
        try:
            event = request_event.whole(event, self.routes)
        except ServiceError as error:
            logs.begin_invocation(function_request_id=getattr(context, "aws_request_id", None))
            log.warning("refused an event: %s", error.detail)
            return replies.failure(error).to_dict()
        reply = super().__call__(event, context)
        if event["requestContext"]["httpMethod"] == "HEAD" and not self.keeps_head_bodies:
            reply |= {"body": "", "isBase64Encoded": False}
        return reply


def endpoint(
    app: Service,
    path: str,
    method: str,
    *,
    key: bool = True,
    pictures: int = 1,
    listed: int = 0,
    changes: bool = False,
) -> Callable[[View], View]:
    """Register a view for one path and method; the view receives the request's arguments.

    The view's name has an entry in `permissions.NEEDED`, unless it needs no key.

    `pictures` is the largest number of pictures in the body, and `listed` that of the values of a list. With `key`, API
    Gateway requires an API key in the header x-api-key; local servers require none. A GET also answers HEAD, unless it
    `changes` something, because HEAD must be safe (RFC 9110, 9.2.1).
    """

    def register(view: View) -> View:
        needed = permissions.NEEDED[view.__name__] if key else None

        def reply_to(request: Request, path_arguments: dict[str, str]) -> Any:
            try:
                with deadline.within(_request_seconds()):
                    if needed is None:
                        return view(_arguments(request, path_arguments, pictures, listed))
                    calling = caller(request.context)
                    calling.check_access(needed)
                    return view(_arguments(request, path_arguments, pictures, listed).of(calling, app.sets_of))
            except ServiceError as error:
                return replies.failure(error)
            except Exception:  # the client gets a contract error without internal details
                log.exception("%s %s failed", method, path)
                return replies.failure(errors.internal_error())

        @functools.wraps(view)
        def answer(**path_arguments: str) -> Any:
            request = app.current_request
            assert request is not None
            with audit.following() as trail, happenings.collecting() as happened:
                reply = reply_to(request, path_arguments)
            if happened:
                app.publish(happened)
            if key:  # the other routes concern no face
                _audit(trail, request, view.__name__, reply)
            return reply

        # Accept any content type: `bodies.read_body` answers other bodies with a contract error.
        methods = ["GET", "HEAD"] if method == "GET" and not changes else [method]
        app.route(path, methods=methods, content_types=["*/*"], name=view.__name__, api_key_required=key)(answer)
        return view

    return register


def _audit(trail: audit.Trail, request: Request, action: str, reply: Any) -> None:
    status: int = HTTPStatus.OK
    code = None
    if isinstance(reply, Response):
        status = reply.status_code
        code = reply.body.get("error_code") if isinstance(reply.body, dict) else None
    audit.write(trail, caller=caller_id(request.context), action=action, status=status, error_code=code)


def _request_seconds() -> float:
    try:
        return current_settings().request_seconds
    except SettingsError:  # requests that need settings report the error themselves
        return deadline.REQUEST_SECONDS


def document(app: Chalice, paths: Sequence[str], page: Callable[[], Page]) -> None:
    """Serve a page at some paths to everyone, without an API key; the page contains no data."""

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
    """Register OPTIONS for every address, to answer CORS preflights. Call this after all routes are registered.

    Without CORS_ORIGIN, OPTIONS is refused like any unknown method. API Gateway must know the method in either case.
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


def _arguments(request: Request, path_arguments: dict[str, str], pictures: int, listed: int) -> arguments.Arguments:
    given = request.query_params
    query = {} if given is None else {name: given.getlist(name) for name in given}
    for name, value in path_arguments.items():
        # REST APIs of API Gateway and the local servers pass the value escaped, as the client sent it.
        query[name] = [unquote(value), *query.get(name, ())]
    if request.method not in ("POST", "PUT"):
        return arguments.Arguments(query)
    try:
        body = request.raw_body
    except ValueError:  # invalid base64 or text
        raise errors.upload_error("the body cannot be read") from None
    assert isinstance(body, bytes)
    if not body:  # many clients announce a type for an empty body
        return arguments.Arguments(query)
    content_type = request.headers.get("content-type", "")
    return arguments.Arguments(query, bodies.read_body(body, content_type, pictures, listed))


# Contract errors for requests that Chalice itself refuses, by HTTP status.
_REFUSALS = {
    403: errors.bad_argument("the request is not allowed", status=403),
    404: errors.bad_argument("there is no such address", status=404),
    405: errors.bad_argument("this address does not accept that method", status=405),
    415: bodies.unknown_type(),
}


def _refusal(status: int) -> ServiceError:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.internal_error()
    return _REFUSALS.get(status, errors.bad_argument("the request cannot be read", status=status))


def keep_error_shape(request: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: replace Chalice's own errors with contract errors."""
    response = get_response(request)
    if response.status_code < 400 or (isinstance(response.body, dict) and "error_code" in response.body):
        return response
    if "Allow" in response.headers:
        return _wrong_method(str(response.headers["Allow"]).split(", "))
    return replies.failure(_refusal(response.status_code))


def write_json(request: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: write the body as JSON without escaping non-ASCII characters, as Chalice would."""
    response = get_response(request)
    if not isinstance(response.body, str | bytes):
        response.body = as_text(response.body)
    return response


def complete_headers(request: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: add the headers of every reply."""
    response = get_response(request)
    response_headers.complete(response.headers)
    return response
