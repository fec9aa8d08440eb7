"""Every route: what it takes, what it answers, what may go wrong."""

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
    """`takes` are the operation's parameters and requestBody; `replies` those of a success, by status."""
    gateway = [error for error in failures.GATEWAY if key or error.status != 403]
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        **({"description": text} if text else {}),
        **takes,
        "responses": {**replies, **failures.responses([*refusals, *gateway])},
        # Where it is not deployed, nobody is asked for a key.
        "security": [{KEY: []}, {}] if key else [],
    }


def _json(schema: str, text: str, links: dict[str, Any] | None = None) -> dict[str, Any]:
    answer = {"description": text, "content": {"application/json": {"schema": reference(schema)}}}
    return {"200": {**answer, "links": links} if links else answer}


def _links(argument: parameters.Argument, value: str, *operations: str) -> dict[str, Any]:
    """Say which operations take a value of a reply, a JSON pointer, as an argument."""
    taken = {argument.name: f"$response.body#{value}"}
    return {name: {"operationId": name, "parameters": taken} for name in operations}


_OF_DETECTED = ("add_face", "search_by_token")
_OF_KNOWN = ("get_face", "rename_face", "get_crop", "delete_face", "remove_face", "search_by_token")


_SEARCHED = (parameters.LIMIT, parameters.GROUP, parameters.FACE_SET)
_ADDED = (parameters.FACE_NAME, parameters.FACE_SET, parameters.QUALITY_FILTER)
_COMPARED = ((parameters.IMAGE_FILE1, parameters.FACE_TOKEN1), (parameters.IMAGE_FILE2, parameters.FACE_TOKEN2))

_FORM, _STORES = failures.FORM, failures.STORES
_FACE_SET, _TOKEN = failures.UNKNOWN_FACE_SET, failures.UNKNOWN_TOKEN


def _search(
    name: str, of: str, target: parameters.Argument, refusals: Sequence[ServiceError], **takes: Any
) -> Operation:
    return _operation(
        name,
        "search",
        f"Find known faces that are like {of}",
        "Searches are exact, and see every change that was answered before.",
        **takes,
        replies=_json(
            "SearchResult",
            "Every face of the face set within the threshold.",
            _links(parameters.FACE_TOKEN, "/face_token", *_OF_DETECTED),
        ),
        refusals=[
            *failures.of_arguments((target, parameters.THRESHOLD), _SEARCHED),
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
    """An operation on one known face, whose token is the first argument."""
    wrong = failures.of_arguments((parameters.FACE_TOKEN,))
    return _operation(
        name, "faces", summary, text, **takes, replies=replies, refusals=[*wrong, *refusals, *_TOKEN, *_STORES]
    )


_REMOVED = _json("Removal", "The face is unknown.")
_REMOVE = "Erase a known face, its embedding and its picture"


def _page(name: str, summary: str) -> dict[str, Operation]:
    return {"get": _operation(name, "service", summary, replies=media.PAGE, refusals=failures.SERVER, key=False)}


PATHS: dict[str, dict[str, Operation]] = {
    "/": _page("console", "The console, to try all of it in a browser"),
    "/upload": _page("console_of_old", "The same, where clients of the earlier API found their page"),
    "/detect": {
        "post": _operation(
            "detect",
            "search",
            "Find every face of a picture",
            "Each face gets a token, which is kept for a day unless the face is added to a face set.",
            requestBody=parameters.form([parameters.IMAGE_FILE]),
            replies=_json(
                "Detection",
                "The faces; none is no error.",
                _links(parameters.FACE_TOKEN, "/faces/0/face_token", *_OF_DETECTED),
            ),
            refusals=[*failures.of_arguments([parameters.IMAGE_FILE]), *failures.PICTURE, *_FORM, *_STORES],
        )
    },
    "/search": {
        "get": _search(
            "search_by_token",
            "one with a token",
            parameters.FACE_TOKEN,
            _TOKEN,
            parameters=parameters.query([parameters.FACE_TOKEN, parameters.THRESHOLD], _SEARCHED),
        ),
        "post": _search(
            "search_by_picture",
            "the largest of a picture",
            parameters.IMAGE_FILE,
            [*failures.PICTURE, *failures.NO_FACE, *_FORM],
            requestBody=parameters.form([parameters.IMAGE_FILE, parameters.THRESHOLD], _SEARCHED),
        ),
    },
    "/compare": {
        "post": _operation(
            "compare",
            "search",
            "Tell how unlike two faces are",
            "Each is either a token or the largest face of a picture, of which nothing is kept.",
            requestBody=parameters.form([], either=_COMPARED),
            replies=_json("Comparison", "Their distance, and what it means."),
            refusals=[
                *failures.of_arguments(_COMPARED[0]),
                *failures.PICTURE,
                *_TOKEN,
                *failures.NO_FACE,
                *_FORM,
                *_STORES,
            ],
        )
    },
    "/addface": {
        "get": _addition("add_face", parameters=parameters.query([parameters.FACE_TOKEN], _ADDED)),
        "post": _addition("add_face_by_form", _FORM, requestBody=parameters.form([parameters.FACE_TOKEN], _ADDED)),
    },
    "/removeface": {
        "get": _of_face("remove_face", _REMOVE, _REMOVED, parameters=parameters.query([parameters.FACE_TOKEN])),
        "post": _of_face(
            "remove_face_by_form", _REMOVE, _REMOVED, _FORM, requestBody=parameters.form([parameters.FACE_TOKEN])
        ),
    },
    "/faces": {
        "get": _operation(
            "list_faces",
            "faces",
            "List known faces, the oldest first",
            "What is added or removed between two pages moves no other face.",
            parameters=parameters.query(
                [], [parameters.FACE_SET, parameters.BEGINNING, parameters.CURSOR, parameters.PAGE_LIMIT]
            ),
            replies=_json("FacePage", "A page of them.", _links(parameters.CURSOR, "/next_cursor", "list_faces")),
            refusals=[*failures.of_arguments([], [parameters.CURSOR]), *_FACE_SET, *_STORES],
        )
    },
    "/faces/{face_token}": {
        "get": _of_face(
            "get_face",
            "Look a known face up",
            _json("OneFace", "The face."),
            parameters=parameters.path(parameters.FACE_TOKEN),
        ),
        "put": _of_face(
            "rename_face",
            "Rename a known face",
            _json("OneFace", "The face, renamed."),
            [errors.missing_argument("face_name"), *_FORM],
            parameters=parameters.path(parameters.FACE_TOKEN),
            requestBody=parameters.form([parameters.NEW_NAME]),
        ),
        "delete": _of_face("delete_face", _REMOVE, _REMOVED, parameters=parameters.path(parameters.FACE_TOKEN)),
    },
    "/faces/{face_token}/crop": {
        "get": _of_face(
            "get_crop",
            "Show a known face",
            {"200": media.JPEG, "302": media.ELSEWHERE},
            text="A deployed service answers with the address of the picture, a local one with the picture itself.",
            parameters=parameters.path(parameters.FACE_TOKEN),
        )
    },
    "/face_sets": {
        "get": _operation(
            "list_face_sets", "face sets", "List the face sets", replies=_json("FaceSetList", "All of them.")
        ),
        "post": _operation(
            "create_face_set",
            "face sets",
            "Make a face set",
            requestBody=parameters.form([parameters.NEW_FACE_SET]),
            replies=_json(
                "FaceSetCreation",
                "It is there.",
                _links(parameters.OTHER_FACE_SET, "/face_set", "delete_face_set"),
            ),
            refusals=[*failures.of_arguments([parameters.NEW_FACE_SET]), *_FORM, *_STORES],
        ),
    },
    "/face_sets/{face_set}": {
        "delete": _operation(
            "delete_face_set",
            "face sets",
            "Delete a face set with all its faces",
            "A large one takes several requests.",
            parameters=parameters.path(parameters.OTHER_FACE_SET),
            replies=_json("FaceSetDeletion", "It is gone, or, when not done, smaller."),
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
            "Tell that the service answers",
            replies=_json("Health", "It does."),
            refusals=failures.SERVER,
            key=False,
        )
    },
    "/info": {
        "get": _operation(
            "info",
            "service",
            "Tell the model, its thresholds and weaknesses, the number of faces and the limits",
            replies=_json("Info", "What is served."),
        )
    },
    "/openapi.json": {
        "get": _operation(
            "specification",
            "service",
            "This document",
            replies=_json("Document", "OpenAPI 3.1."),
            refusals=failures.SERVER,
            key=False,
        )
    },
}
