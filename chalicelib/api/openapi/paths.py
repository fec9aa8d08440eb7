"""Describes every route: its arguments, replies and errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from chalicelib import errors
from chalicelib.api.openapi import failures, media, parameters
from chalicelib.api.openapi.schemas import reference
from chalicelib.errors import ServiceError

Operation = dict[str, Any]

KEY = "api_key"


def _operation(
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


def _json(schema: str, text: str, links: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = {"description": text, "content": {"application/json": {"schema": reference(schema)}}}
    return {"200": {**answer, "links": links} if links else answer}


def _links(argument: parameters.Argument, value: str, *operations: str) -> dict[str, Any]:
    """Return links to the operations that take a value of a reply, given as a JSON pointer, as an argument."""
    taken = {argument.name: f"$response.body#{value}"}
    return {name: {"operationId": name, "parameters": taken} for name in operations}


_OF_DETECTED = ("add_face", "search_by_token")
_OF_KNOWN = ("get_face", "rename_face", "get_crop", "delete_face", "remove_face", "search_by_token")


_PAGED = (parameters.CURSOR, parameters.PAGE_LIMIT)
_SEARCHED = (parameters.LIMIT, parameters.GROUP, parameters.FACE_SET)
_IDENTIFIED = (parameters.IDENTIFY_THRESHOLD, parameters.LIMIT, parameters.FACE_SET)
_ADDED = (parameters.FACE_NAME, parameters.FACE_SET, parameters.QUALITY_FILTER, parameters.CHECK)
_OF_PERSON = ("change_person", "delete_person", "list_faces_of_person")
_CHANGED = (parameters.PERSON_NAME, parameters.MERGE, parameters.COVER, parameters.FACE_SET)
_BODY, _STORES = failures.BODY, failures.STORES
_FACE_SET, _TOKEN = failures.UNKNOWN_FACE_SET, failures.UNKNOWN_TOKEN


def _search(name: str, of: str, refusals: Sequence[ServiceError], **takes: Any) -> Operation:
    return _operation(
        name,
        "search",
        f"Search known faces for {of}",
        "A search includes every change that was answered before it. Searches are exact unless /info says otherwise.",
        **takes,
        replies=_json(
            "SearchResult",
            "The faces of the face set within the threshold, up to the limit.",
            _links(parameters.FACE_TOKEN, "/face_token", *_OF_DETECTED),
        ),
        refusals=[
            *failures.of_arguments((parameters.THRESHOLD,), _SEARCHED),
            *refusals,
            *_FACE_SET,
            *_STORES,
        ],
    )


def _addition(name: str, refusals: Sequence[ServiceError] = (), **takes: Any) -> Operation:
    return _operation(
        name,
        "faces",
        "Add a detected face to a face set, or rename it there",
        **takes,
        replies=_json("Addition", "The face is known.", _links(parameters.FACE_TOKEN, "/face_token", *_OF_KNOWN)),
        refusals=[
            *failures.of_arguments((parameters.FACE_TOKEN,), _ADDED),
            *failures.ANOTHER_FACE_SET,
            *refusals,
            *_TOKEN,
            *_FACE_SET,
            *failures.POOR_FACE,
            *_STORES,
        ],
    )


def _of_face(
    name: str,
    summary: str,
    replies: dict[str, Any],
    refusals: Sequence[ServiceError] = (),
    text: str = "",
    **takes: Any,
) -> Operation:
    """Return an operation on one known face, with the face's token as its first argument."""
    wrong = failures.of_arguments((parameters.FACE_TOKEN,))
    return _operation(
        name, "faces", summary, text, **takes, replies=replies, refusals=[*wrong, *refusals, *_TOKEN, *_STORES]
    )


_REMOVED = _json("Removal", "The face is removed.")
_REMOVE = "Remove a known face, its embedding and its crop"


def _of_person(
    name: str, summary: str, text: str, replies: dict[str, Any], refusals: Sequence[ServiceError] = (), **takes: Any
) -> Operation:
    """Return an operation on one person, with the person's name as its first argument."""
    wrong = failures.of_arguments((parameters.PERSON,))
    unknown = (*failures.UNKNOWN_PERSON, *_FACE_SET, *_STORES)
    return _operation(name, "people", summary, text, **takes, replies=replies, refusals=[*wrong, *refusals, *unknown])


def _page(name: str, summary: str) -> dict[str, Operation]:
    return {"get": _operation(name, "service", summary, replies=media.PAGE, refusals=failures.SERVER, key=False)}


PATHS: dict[str, dict[str, Operation]] = {
    "/": _page("console", "Open the console, which uses the API in a browser"),
    "/upload": _page("console_of_old", "Open the console at the earlier API's address"),
    "/docs": _page("reference", "Read this document as a page"),
    "/detect": {
        "post": _operation(
            "detect",
            "search",
            "Find every face of a picture",
            "Each face gets a token. By default, the token expires after a day unless the face is added to a face set.",
            requestBody=parameters.body([], either=[parameters.IMAGE]),
            replies=_json(
                "Detection",
                "The faces found; an empty list is not an error.",
                _links(parameters.FACE_TOKEN, "/faces/0/face_token", *_OF_DETECTED),
            ),
            refusals=[*failures.of_either(parameters.IMAGE), *failures.PICTURE, *_BODY, *_STORES],
        )
    },
    "/search": {
        "get": _search(
            "search_by_token",
            "the face of a token",
            [*failures.of_arguments([parameters.FACE_TOKEN]), *_TOKEN],
            parameters=parameters.query([parameters.FACE_TOKEN, parameters.THRESHOLD], _SEARCHED),
        ),
        "post": _search(
            "search_by_picture",
            "the largest face of a picture",
            [*failures.of_either(parameters.IMAGE), *failures.PICTURE, *failures.NO_FACE, *_BODY],
            requestBody=parameters.body([parameters.THRESHOLD], _SEARCHED, [parameters.IMAGE]),
        ),
    },
    "/identify": {
        "post": _operation(
            "identify",
            "search",
            "Find every face of a picture and the people it may show",
            "Each face gets a token, as from /detect. A search includes every change that was answered before it.",
            requestBody=parameters.body([], _IDENTIFIED, [parameters.IMAGE]),
            replies=_json(
                "Identification",
                "The faces found, each with people; an empty list is not an error.",
                _links(parameters.FACE_TOKEN, "/faces/0/face_token", *_OF_DETECTED),
            ),
            refusals=[
                *failures.of_arguments([], _IDENTIFIED),
                *failures.of_either(parameters.IMAGE),
                *failures.PICTURE,
                *_BODY,
                *_FACE_SET,
                *_STORES,
            ],
        )
    },
    "/compare": {
        "post": _operation(
            "compare",
            "search",
            "Compare two faces",
            "Each face is a token or the largest face of a picture. Nothing is stored.",
            requestBody=parameters.body([], either=parameters.COMPARED),
            replies=_json("Comparison", "The distance, and whether it is within each threshold."),
            refusals=[
                *failures.of_either(parameters.COMPARED[0]),
                *failures.PICTURE,
                *_TOKEN,
                *failures.NO_FACE,
                *_BODY,
                *_STORES,
            ],
        )
    },
    "/groups": {
        "post": _operation(
            "group_faces",
            "search",
            "Group faces by person",
            "The faces are detected or known ones, from any face sets. Nothing is stored, and no known name is used.",
            requestBody=parameters.body([parameters.FACE_TOKENS]),
            replies=_json("Groups", "Each token once, in a group or alone."),
            refusals=[*failures.of_arguments([parameters.FACE_TOKENS]), *failures.UNKNOWN_TOKENS, *_BODY, *_STORES],
        )
    },
    "/addface": {
        "get": _addition("add_face", parameters=parameters.query([parameters.FACE_TOKEN], _ADDED)),
        "post": _addition("add_face_by_form", _BODY, requestBody=parameters.body([parameters.FACE_TOKEN], _ADDED)),
    },
    "/removeface": {
        "get": _of_face("remove_face", _REMOVE, _REMOVED, parameters=parameters.query([parameters.FACE_TOKEN])),
        "post": _of_face(
            "remove_face_by_form", _REMOVE, _REMOVED, _BODY, requestBody=parameters.body([parameters.FACE_TOKEN])
        ),
    },
    "/faces": {
        "get": _operation(
            "list_faces",
            "faces",
            "List known faces, oldest first",
            "Faces added or removed between two pages move no other face. With `name`, they come person by person.",
            parameters=parameters.query([], [parameters.FACE_SET, parameters.PART, parameters.MATCH, *_PAGED]),
            replies=_json("FacePage", "A page of faces.", _links(parameters.CURSOR, "/next_cursor", "list_faces")),
            refusals=[*failures.of_arguments([], [parameters.CURSOR]), *_FACE_SET, *_STORES],
        )
    },
    "/faces/{face_token}": {
        "get": _of_face(
            "get_face",
            "Look up a known face",
            _json("OneFace", "The face."),
            parameters=parameters.path(parameters.FACE_TOKEN),
        ),
        "put": _of_face(
            "rename_face",
            "Rename a known face",
            _json("OneFace", "The face, renamed."),
            [errors.missing_argument("face_name"), *_BODY],
            parameters=parameters.path(parameters.FACE_TOKEN),
            requestBody=parameters.body([parameters.NEW_NAME]),
        ),
        "delete": _of_face("delete_face", _REMOVE, _REMOVED, parameters=parameters.path(parameters.FACE_TOKEN)),
    },
    "/faces/{face_token}/crop": {
        "get": _of_face(
            "get_crop",
            "Get a known face's crop",
            {"200": media.JPEG, "302": media.ELSEWHERE},
            text="A deployed service redirects to the crop's address; a local service sends the crop itself.",
            parameters=parameters.path(parameters.FACE_TOKEN),
        )
    },
    "/people": {
        "get": _operation(
            "list_people",
            "people",
            "List the people of a face set",
            "All faces with the same name in the face set are one person; case and outer white space do not count. "
            "Faces with the default name have no person. With `name`, a page may be short and still have a "
            "`next_cursor`.",
            parameters=parameters.query([], [parameters.FACE_SET, parameters.PART, *_PAGED]),
            replies=_json(
                "PeoplePage",
                "A page of people.",
                {
                    **_links(parameters.CURSOR, "/next_cursor", "list_people"),
                    **_links(parameters.PERSON, "/people/0/name", *_OF_PERSON),
                },
            ),
            refusals=[*failures.of_arguments([], [parameters.CURSOR]), *_FACE_SET, *_STORES],
        )
    },
    "/people/{person}": {
        "put": _of_person(
            "change_person",
            "Rename a person, merge them with another, or choose the face that shows them",
            "Renames all faces of the person. A person with many faces takes several requests. At least one of `name` "
            "and `cover` is required.",
            _json("PersonChange", "The person is changed or, when `done` is false, partly renamed."),
            [*failures.PERSON_CHANGE, *_TOKEN, *_BODY],
            parameters=parameters.path(parameters.PERSON),
            requestBody=parameters.body([], _CHANGED, some=(parameters.PERSON_NAME, parameters.COVER)),
        ),
        "delete": _of_person(
            "delete_person",
            "Remove all faces of a person, their embeddings and their crops",
            "A person with many faces takes several requests.",
            _json("PersonDeletion", "The faces are removed or, when `done` is false, some of them."),
            parameters=[*parameters.path(parameters.PERSON), *parameters.query([], [parameters.FACE_SET])],
        ),
    },
    "/people/{person}/faces": {
        "get": _of_person(
            "list_faces_of_person",
            "List a person's faces, oldest first",
            "Faces added or removed between two pages move no other face.",
            _json("FacePage", "A page of faces.", _links(parameters.CURSOR, "/next_cursor", "list_faces_of_person")),
            parameters=[
                *parameters.path(parameters.PERSON),
                *parameters.query([], [parameters.FACE_SET, *_PAGED]),
            ],
        )
    },
    "/face_sets": {
        "get": _operation(
            "list_face_sets", "face sets", "List the face sets", replies=_json("FaceSetList", "All face sets.")
        ),
        "post": _operation(
            "create_face_set",
            "face sets",
            "Create a face set",
            requestBody=parameters.body([parameters.NEW_FACE_SET]),
            replies=_json(
                "FaceSetCreation",
                "The face set exists.",
                _links(parameters.OTHER_FACE_SET, "/face_set", "delete_face_set"),
            ),
            refusals=[*failures.of_arguments([parameters.NEW_FACE_SET]), *_BODY, *_STORES],
        ),
    },
    "/face_sets/{face_set}": {
        "delete": _operation(
            "delete_face_set",
            "face sets",
            "Delete a face set and all its faces",
            "A large face set takes several requests.",
            parameters=parameters.path(parameters.OTHER_FACE_SET),
            replies=_json("FaceSetDeletion", "The face set is deleted or, when `done` is false, smaller."),
            refusals=[
                *failures.of_arguments([parameters.OTHER_FACE_SET]),
                *failures.DEFAULT_FACE_SET,
                *_FACE_SET,
                *_STORES,
            ],
        )
    },
    "/health": {
        "get": _operation(
            "health",
            "service",
            "Check that the service answers",
            replies=_json("Health", "The service answers."),
            refusals=failures.SERVER,
            key=False,
        )
    },
    "/info": {
        "get": _operation(
            "info",
            "service",
            "Get the model, its thresholds and weaknesses, the number of faces and the limits",
            replies=_json("Info", "The model, the gallery and the limits."),
        )
    },
    "/openapi.json": {
        "get": _operation(
            "specification",
            "service",
            "Get this document",
            replies=_json("Document", "The OpenAPI 3.1 document."),
            refusals=failures.SERVER,
            key=False,
        )
    },
}
