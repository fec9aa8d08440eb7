"""Builds the descriptions of operations that several routes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib.api.openapi import failures, media, parameters
from chalicelib.api.openapi.schemas import reference
from chalicelib.errors import ServiceError

Operation = dict[str, Any]

KEY = "api_key"


def operation(
    name: str,
    tag: str,
    summary: str,
    text: str = "",
    *,
    replies: dict[str, Any],
    refusals: Sequence[ServiceError] = failures.STORES,
    key: bool = True,
    **takes: Any,
) -> Operation:
    """Return an operation; `takes` has its parameters and requestBody, `replies` its success responses by status."""
    gateway = [error for error in failures.GATEWAY if key or error.status != 403]
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        **({"description": text} if text else {}),
        **takes,
        "responses": {**replies, **failures.responses([*refusals, *gateway])},
        # The empty alternative stands for local servers, which require no key.
        "security": [{KEY: []}, {}] if key else [],
    }


def reply(schema: str, text: str, links: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = {"description": text, "content": {"application/json": {"schema": reference(schema)}}}
    return {"200": {**answer, "links": links} if links else answer}


def links(argument: parameters.Argument, value: str, *operations: str) -> dict[str, Any]:
    """Return links to the operations that take a value of a reply, given as a JSON pointer, as an argument."""
    taken = {argument.name: f"$response.body#{value}"}
    return {name: {"operationId": name, "parameters": taken} for name in operations}


OF_DETECTED = ("add_face", "search_by_token")
OF_KNOWN = ("get_face", "rename_face", "get_crop", "delete_face", "remove_face", "search_by_token")


PAGED = (parameters.CURSOR, parameters.PAGE_LIMIT)
SEARCHED = (parameters.LIMIT, parameters.GROUP, parameters.FACE_SET)
IDENTIFIED = (parameters.IDENTIFY_THRESHOLD, parameters.LIMIT, parameters.FACE_SET)
ADDED = (parameters.FACE_NAME, parameters.FACE_SET, parameters.QUALITY_FILTER, parameters.CHECK)
OF_PERSON = ("change_person", "delete_person", "list_faces_of_person")
CHANGED = (parameters.PERSON_NAME, parameters.MERGE, parameters.COVER, parameters.FACE_SET)
BODY, STORES = failures.BODY, failures.STORES
FACE_SET, TOKEN = failures.UNKNOWN_FACE_SET, failures.UNKNOWN_TOKEN


def search(name: str, of: str, refusals: Sequence[ServiceError], **takes: Any) -> Operation:
    return operation(
        name,
        "search",
        f"Search known faces for {of}",
        "A search includes every change that was answered before it. Searches are exact unless /info says otherwise.",
        **takes,
        replies=reply(
            "SearchResult",
            "The faces of the face set within the threshold, up to the limit.",
            links(parameters.FACE_TOKEN, "/face_token", *OF_DETECTED),
        ),
        refusals=[
            *failures.of_arguments((parameters.THRESHOLD,), SEARCHED),
            *refusals,
            *FACE_SET,
            *STORES,
        ],
    )


def addition(name: str, refusals: Sequence[ServiceError] = (), **takes: Any) -> Operation:
    return operation(
        name,
        "faces",
        "Add a detected face to a face set, or rename it there",
        **takes,
        replies=reply("Addition", "The face is known.", links(parameters.FACE_TOKEN, "/face_token", *OF_KNOWN)),
        refusals=[
            *failures.of_arguments((parameters.FACE_TOKEN,), ADDED),
            *failures.ANOTHER_FACE_SET,
            *refusals,
            *TOKEN,
            *FACE_SET,
            *failures.POOR_FACE,
            *STORES,
        ],
    )


def of_face(
    name: str,
    summary: str,
    replies: dict[str, Any],
    refusals: Sequence[ServiceError] = (),
    text: str = "",
    **takes: Any,
) -> Operation:
    """Return an operation on one known face, with the face's token as its first argument."""
    wrong = failures.of_arguments((parameters.FACE_TOKEN,))
    return operation(
        name, "faces", summary, text, **takes, replies=replies, refusals=[*wrong, *refusals, *TOKEN, *STORES]
    )


REMOVED = reply("Removal", "The face is removed.")
REMOVE = "Remove a known face, its embedding and its crop"


def of_person(
    name: str, summary: str, text: str, replies: dict[str, Any], refusals: Sequence[ServiceError] = (), **takes: Any
) -> Operation:
    """Return an operation on one person, with the person's name as its first argument."""
    wrong = failures.of_arguments((parameters.PERSON,))
    unknown = (*failures.UNKNOWN_PERSON, *FACE_SET, *STORES)
    return operation(name, "people", summary, text, **takes, replies=replies, refusals=[*wrong, *refusals, *unknown])


def page(name: str, summary: str) -> dict[str, Operation]:
    return {"get": operation(name, "service", summary, replies=media.PAGE, refusals=failures.SERVER, key=False)}
