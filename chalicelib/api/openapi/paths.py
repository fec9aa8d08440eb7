"""Describes every route: its arguments, replies and errors."""

from __future__ import annotations

from chalicelib import errors
from chalicelib.api.openapi import failures, media, parameters
from chalicelib.api.openapi.builders import (
    ADDED,
    BODY,
    CHANGED,
    FACE_SET,
    IDENTIFIED,
    OF_DETECTED,
    OF_PERSON,
    PAGED,
    REMOVE,
    REMOVED,
    SEARCHED,
    STORES,
    TOKEN,
    Operation,
    addition,
    links,
    of_face,
    of_person,
    operation,
    page,
    reply,
    search,
)

PATHS: dict[str, dict[str, Operation]] = {
    "/": page("console", "Open the console, which uses the API in a browser"),
    "/upload": page("console_of_old", "Open the console at the earlier API's address"),
    "/docs": page("reference", "Read this document as a page"),
    "/detect": {
        "post": operation(
            "detect",
            "search",
            "Find every face of a picture",
            "Each face gets a token. By default, the token expires after a day unless the face is added to a face set.",
            requestBody=parameters.body([], either=[parameters.IMAGE]),
            replies=reply(
                "Detection",
                "The faces found; an empty list is not an error.",
                links(parameters.FACE_TOKEN, "/faces/0/face_token", *OF_DETECTED),
            ),
            refusals=[*failures.of_either(parameters.IMAGE), *failures.PICTURE, *BODY, *STORES],
        )
    },
    "/search": {
        "get": search(
            "search_by_token",
            "the face of a token",
            [*failures.of_arguments([parameters.FACE_TOKEN]), *TOKEN],
            parameters=parameters.query([parameters.FACE_TOKEN, parameters.THRESHOLD], SEARCHED),
        ),
        "post": search(
            "search_by_picture",
            "the largest face of a picture",
            [*failures.of_either(parameters.IMAGE), *failures.PICTURE, *failures.NO_FACE, *BODY],
            requestBody=parameters.body([parameters.THRESHOLD], SEARCHED, [parameters.IMAGE]),
        ),
    },
    "/identify": {
        "post": operation(
            "identify",
            "search",
            "Find every face of a picture and the people it may show",
            "Each face gets a token, as from /detect. A search includes every change that was answered before it.",
            requestBody=parameters.body([], IDENTIFIED, [parameters.IMAGE]),
            replies=reply(
                "Identification",
                "The faces found, each with people; an empty list is not an error.",
                links(parameters.FACE_TOKEN, "/faces/0/face_token", *OF_DETECTED),
            ),
            refusals=[
                *failures.of_arguments([], IDENTIFIED),
                *failures.of_either(parameters.IMAGE),
                *failures.PICTURE,
                *BODY,
                *FACE_SET,
                *STORES,
            ],
        )
    },
    "/compare": {
        "post": operation(
            "compare",
            "search",
            "Compare two faces",
            "Each face is a token or the largest face of a picture. Nothing is stored.",
            requestBody=parameters.body([], either=parameters.COMPARED),
            replies=reply("Comparison", "The distance, and whether it is within each threshold."),
            refusals=[
                *failures.of_either(parameters.COMPARED[0]),
                *failures.PICTURE,
                *TOKEN,
                *failures.NO_FACE,
                *BODY,
                *STORES,
            ],
        )
    },
    "/groups": {
        "post": operation(
            "group_faces",
            "search",
            "Group faces by person",
            "The faces are detected or known ones, from any face sets. Nothing is stored, and no known name is used.",
            requestBody=parameters.body([parameters.FACE_TOKENS]),
            replies=reply("Groups", "Each token once, in a group or alone."),
            refusals=[*failures.of_arguments([parameters.FACE_TOKENS]), *failures.UNKNOWN_TOKENS, *BODY, *STORES],
        )
    },
    "/addface": {
        "get": addition("add_face", parameters=parameters.query([parameters.FACE_TOKEN], ADDED)),
        "post": addition("add_face_by_form", BODY, requestBody=parameters.body([parameters.FACE_TOKEN], ADDED)),
    },
    "/removeface": {
        "get": of_face("remove_face", REMOVE, REMOVED, parameters=parameters.query([parameters.FACE_TOKEN])),
        "post": of_face(
            "remove_face_by_form", REMOVE, REMOVED, BODY, requestBody=parameters.body([parameters.FACE_TOKEN])
        ),
    },
    "/faces": {
        "get": operation(
            "list_faces",
            "faces",
            "List known faces, oldest first",
            "Faces added or removed between two pages move no other face. With `name`, they come person by person.",
            parameters=parameters.query([], [parameters.FACE_SET, parameters.PART, parameters.MATCH, *PAGED]),
            replies=reply("FacePage", "A page of faces.", links(parameters.CURSOR, "/next_cursor", "list_faces")),
            refusals=[*failures.of_arguments([], [parameters.CURSOR]), *FACE_SET, *STORES],
        )
    },
    "/faces/{face_token}": {
        "get": of_face(
            "get_face",
            "Look up a known face",
            reply("OneFace", "The face."),
            parameters=parameters.path(parameters.FACE_TOKEN),
        ),
        "put": of_face(
            "rename_face",
            "Rename a known face",
            reply("OneFace", "The face, renamed."),
            [errors.missing_argument("face_name"), *BODY],
            parameters=parameters.path(parameters.FACE_TOKEN),
            requestBody=parameters.body([parameters.NEW_NAME]),
        ),
        "delete": of_face("delete_face", REMOVE, REMOVED, parameters=parameters.path(parameters.FACE_TOKEN)),
    },
    "/faces/{face_token}/crop": {
        "get": of_face(
            "get_crop",
            "Get a known face's crop",
            {"200": media.JPEG, "302": media.ELSEWHERE},
            text="A deployed service redirects to the crop's address; a local service sends the crop itself.",
            parameters=parameters.path(parameters.FACE_TOKEN),
        )
    },
    "/people": {
        "get": operation(
            "list_people",
            "people",
            "List the people of a face set",
            "All faces with the same name in the face set are one person; case and outer white space do not count. "
            "Faces with the default name have no person. With `name`, a page may be short and still have a "
            "`next_cursor`.",
            parameters=parameters.query([], [parameters.FACE_SET, parameters.PART, *PAGED]),
            replies=reply(
                "PeoplePage",
                "A page of people.",
                {
                    **links(parameters.CURSOR, "/next_cursor", "list_people"),
                    **links(parameters.PERSON, "/people/0/name", *OF_PERSON),
                },
            ),
            refusals=[*failures.of_arguments([], [parameters.CURSOR]), *FACE_SET, *STORES],
        )
    },
    "/people/{person}": {
        "put": of_person(
            "change_person",
            "Rename a person, merge them with another, or choose the face that shows them",
            "Renames all faces of the person. A person with many faces takes several requests. At least one of `name` "
            "and `cover` is required.",
            reply("PersonChange", "The person is changed or, when `done` is false, partly renamed."),
            [*failures.PERSON_CHANGE, *TOKEN, *BODY],
            parameters=parameters.path(parameters.PERSON),
            requestBody=parameters.body([], CHANGED, some=(parameters.PERSON_NAME, parameters.COVER)),
        ),
        "delete": of_person(
            "delete_person",
            "Remove all faces of a person, their embeddings and their crops",
            "A person with many faces takes several requests.",
            reply("PersonDeletion", "The faces are removed or, when `done` is false, some of them."),
            parameters=[*parameters.path(parameters.PERSON), *parameters.query([], [parameters.FACE_SET])],
        ),
    },
    "/people/{person}/faces": {
        "get": of_person(
            "list_faces_of_person",
            "List a person's faces, oldest first",
            "Faces added or removed between two pages move no other face.",
            reply("FacePage", "A page of faces.", links(parameters.CURSOR, "/next_cursor", "list_faces_of_person")),
            parameters=[
                *parameters.path(parameters.PERSON),
                *parameters.query([], [parameters.FACE_SET, *PAGED]),
            ],
        )
    },
    "/face_sets": {
        "get": operation(
            "list_face_sets", "face sets", "List the face sets", replies=reply("FaceSetList", "All face sets.")
        ),
        "post": operation(
            "create_face_set",
            "face sets",
            "Create a face set",
            requestBody=parameters.body([parameters.NEW_FACE_SET]),
            replies=reply(
                "FaceSetCreation",
                "The face set exists.",
                links(parameters.OTHER_FACE_SET, "/face_set", "delete_face_set"),
            ),
            refusals=[*failures.of_arguments([parameters.NEW_FACE_SET]), *BODY, *STORES],
        ),
    },
    "/face_sets/{face_set}": {
        "delete": operation(
            "delete_face_set",
            "face sets",
            "Delete a face set and all its faces",
            "A large face set takes several requests.",
            parameters=parameters.path(parameters.OTHER_FACE_SET),
            replies=reply("FaceSetDeletion", "The face set is deleted or, when `done` is false, smaller."),
            refusals=[
                *failures.of_arguments([parameters.OTHER_FACE_SET]),
                *failures.DEFAULT_FACE_SET,
                *FACE_SET,
                *STORES,
            ],
        )
    },
    "/health": {
        "get": operation(
            "health",
            "service",
            "Check that the service answers",
            replies=reply("Health", "The service answers."),
            refusals=failures.SERVER,
            key=False,
        )
    },
    "/info": {
        "get": operation(
            "info",
            "service",
            "Get the model, its thresholds and weaknesses, the number of faces and the limits",
            replies=reply("Info", "The model, the gallery and the limits."),
        )
    },
    "/openapi.json": {
        "get": operation(
            "specification",
            "service",
            "Get this document",
            replies=reply("Document", "The OpenAPI 3.1 document."),
            refusals=failures.SERVER,
            key=False,
        )
    },
}
