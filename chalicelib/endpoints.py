"""Between Chalice and the routes: reads a request's arguments, and gives every failure the contract's shape."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from chalice.app import Chalice, Request, Response

from chalicelib import deadline, errors, replies, uploads
from chalicelib.console import Page
from chalicelib.errors import ServiceError

log = logging.getLogger(__name__)

View = Callable[[uploads.Arguments], Any]


def endpoint(app: Chalice, path: str, method: str, *, key: bool = True, pictures: int = 1) -> Callable[[View], View]:
    """Register a view for one path and method; it is given the request's arguments, with up to so many pictures.

    With `key`, API Gateway lets only those through who send an API key as x-api-key; no local server asks for one.
    """

    def register(view: View) -> View:
        @functools.wraps(view)
        def answer(**path_arguments: str) -> Any:
            try:
                request = app.current_request
                assert request is not None
                with deadline.within(deadline.REQUEST_SECONDS):
                    return view(_arguments(request, path_arguments, pictures))
            except ServiceError as error:
                return replies.failure(error)
            except Exception:
                log.exception("%s %s failed", method, path)
                return replies.failure(errors.internal_error())

        # Any content type may come in: what is not a form is answered by `uploads`, in the contract's words.
        app.route(path, methods=[method], content_types=["*/*"], name=view.__name__, api_key_required=key)(answer)
        return view

    return register


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
        app.route(path, methods=["GET"], name=f"page {path}")(answer)


def _arguments(request: Request, path_arguments: dict[str, str], pictures: int) -> uploads.Arguments:
    given = request.query_params
    query = {} if given is None else {name: given.getlist(name) for name in given}
    for name, value in path_arguments.items():
        query[name] = [value, *query.get(name, ())]
    if request.method not in ("POST", "PUT"):
        return uploads.Arguments(query)
    body = request.raw_body
    assert isinstance(body, bytes)
    content_type = request.headers.get("content-type", "")
    if not body and not content_type:
        return uploads.Arguments(query)
    return uploads.Arguments(query, uploads.read_form(body, content_type, pictures))


# What Chalice itself refuses, in the contract's terms, by HTTP status.
_REFUSALS = {
    400: errors.bad_argument("the request cannot be read"),
    404: errors.bad_argument("there is no such address", status=404),
    405: errors.bad_argument("this address does not take that method", status=405),
    415: errors.upload_error("the body must be multipart/form-data"),
}


def keep_error_shape(event: Any, get_response: Callable[[Any], Response]) -> Response:
    """Chalice middleware: turn the errors that Chalice answers by itself into the contract's."""
    response = get_response(event)
    if response.status_code < 400 or (isinstance(response.body, dict) and "error_code" in response.body):
        return response
    refusal = replies.failure(_REFUSALS.get(response.status_code, errors.internal_error()))
    refusal.headers.update({key: value for key, value in response.headers.items() if key.lower() != "content-type"})
    return refusal
