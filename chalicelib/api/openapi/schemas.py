"""The schemas of every reply; each misspelt field has a correctly spelt twin."""

from __future__ import annotations

from typing import Any

from chalicelib import names
from chalicelib.api.openapi import failures
from chalicelib.api.openapi.parameters import EXAMPLE_FACE, FACE_TOKEN
from chalicelib.api.replies import TWINS
from chalicelib.faces import DEFAULT_SET
from chalicelib.service.face_service import MAX_SIMILAR
from chalicelib.vision.detector import MAX_FACES
from chalicelib.vision.quality import LEAST_RECOGNISABILITY

Schema = dict[str, Any]


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(*, optional: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """Return an object's schema, with a twin for each misspelt field; all fields are required except `optional`."""
    properties = {}
    for name, schema in fields.items():
        properties[name] = schema
        if name in TWINS:
            properties[name] = {**schema, "description": f"The same as {TWINS[name]}, in the older spelling."}
            properties[TWINS[name]] = schema
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
    }


def _success(*, optional: tuple[str, ...] = (), **fields: Schema) -> Schema:
    return _object(optional=optional, sucess={"type": "boolean", "const": True}, **fields)


def _list(of: Schema, text: str | None = None, **rules: int) -> Schema:
    return {"type": "array", "items": of, **rules, **({} if text is None else {"description": text})}


def _text(text: str, example: str | None = None) -> Schema:
    return {"type": "string", "description": text, **({} if example is None else {"examples": [example]})}


def _number(text: str, **rules: float) -> Schema:
    return {"type": "number", "description": text, **rules}


def _count(text: str, least: int = 0) -> Schema:
    return {"type": "integer", "minimum": least, "description": text}


def _flag(text: str) -> Schema:
    return {"type": "boolean", "description": text}


def _point(text: str) -> Schema:
    return _list({"type": "number"}, text, minItems=2, maxItems=2)


_TOKEN = {
    **FACE_TOKEN.schema,
    "description": "The token of a face, 24 letters and digits.",
    "examples": [EXAMPLE_FACE],
}
_NAME = {**_text("The person's name.", "Ada Lovelace"), "maxLength": names.MAX_NAME_CHARACTERS}
_ADDED_AT: Schema = {"type": "string", "format": "date-time"}
_SAME_PERSON: Schema = {
    "type": "object",
    "description": "Whether the distance is within each of the thresholds.",
    "additionalProperties": {"type": "boolean"},
}
_NEXT_CURSOR: Schema = {
    "type": ["string", "null"],
    "description": "The cursor of the next page; null on the last page.",
}
_FACE_SET = _text("The face set that contains the face.", DEFAULT_SET)
_DISTANCE = _number("The distance between two faces; 0 is the same picture.", minimum=0)
_FOUND: dict[str, Any] = {
    "top_left": _point("The top left corner of the face's box, [x, y] in pixels of the upright picture."),
    "bottom_right": _point("The bottom right corner of the face's box."),
    "confidence": _number("The detector's confidence that this is a face.", minimum=0, maximum=1),
    "landmarks": _list(
        _point("[x, y] in pixels."),
        "Both eyes, the nose, both corners of the mouth, left before right as seen in the picture.",
        minItems=5,
        maxItems=5,
    ),
    "quality": reference("Quality"),
}
_KNOWN: dict[str, Any] = {
    "face_token": _TOKEN,
    "face_name": _NAME,
    "face_set": _FACE_SET,
    "added_at": {**_ADDED_AT, "description": "When the face was added, in UTC."},
}

SCHEMAS: dict[str, Schema] = {
    "Error": failures.SCHEMA,
    "Pose": _object(
        yaw=_number("Degrees by which the head turns to the side; above 0 to the right of the picture."),
        pitch=_number("Degrees by which the head tilts; above 0 up, below 0 down."),
        roll=_number("Degrees by which the head leans; above 0 clockwise."),
    ),
    "Quality": _object(
        optional=("recognisability",),
        size=_number("The shorter side of the face's box, in pixels.", minimum=0),
        sharpness=_number("Sharpness: 1 is all edges; 0 means that blurring changes nothing.", maximum=1),
        brightness=_number("Brightness: 0 is black, 1 is white.", minimum=0, maximum=1),
        pose=reference("Pose"),
        recognisability=_number(
            "The share of LFW's faces that the model recognises less well, in percent. Below "
            f"{LEAST_RECOGNISABILITY:g}, the face is covered or unclear. Present only if the model measures it.",
            minimum=0,
            maximum=100,
        ),
        reasons=_list({"type": "string"}, "Why the face is poor for recognition; empty if it is good enough."),
    ),
    "DetectedFace": _object(
        face_token=_TOKEN, face_name=_text("The file name of the face's crop.", "f2b6c79f-….jpg"), **_FOUND
    ),
    "Detection": _success(
        face_num=_count("The number of faces in the list."),
        faces=_list(reference("DetectedFace"), "The faces, largest first.", maxItems=MAX_FACES),
        truncated=_flag(f"Whether the picture may show more faces; at most the {MAX_FACES} largest are returned."),
    ),
    "Thresholds": {
        "type": "object",
        "description": "For each false match rate, the distance within which that share of pairs of different people "
        "matches: one pair in 100, 1,000 and 10,000. The available rates depend on the model.",
        "additionalProperties": {"type": "number"},
        "examples": [{"1e-2": 0.67, "1e-3": 0.589, "1e-4": 0.515}],
    },
    "WorstFalseMatchRates": {
        "type": "object",
        "description": "For each threshold, the largest share of pairs of different people within it that any labelled "
        "set has: how far off the rate can be for some people.",
        "additionalProperties": {"type": "number"},
        "examples": [{"1e-2": 0.11, "1e-3": 0.04, "1e-4": 0.005}],
    },
    "PersonMatch": _object(face_token=_TOKEN, distant=_DISTANCE, face_name=_NAME, same_person=_SAME_PERSON),
    "IdentifiedFace": _object(
        face_token=_TOKEN,
        face_name=_text("The file name of the face's crop.", "f2b6c79f-….jpg"),
        **_FOUND,
        matches=_list(
            reference("PersonMatch"), "People within the threshold, nearest first, each by their nearest face."
        ),
        truncated=_flag("Whether more people are within the threshold than the limit allows or the reply holds."),
    ),
    "Identification": _success(
        face_num=_count("The number of faces in the list."),
        faces=_list(reference("IdentifiedFace"), "The faces, largest first.", maxItems=MAX_FACES),
        truncated=_flag(f"Whether the picture may show more faces; at most the {MAX_FACES} largest are returned."),
        threshold=_number("The largest distance of a match.", minimum=0),
        thresholds=reference("Thresholds"),
        worst_false_match_rates=reference("WorstFalseMatchRates"),
    ),
    "Match": _object(
        optional=("faces",),
        face_token=_TOKEN,
        distant=_DISTANCE,
        face_name=_NAME,
        faces=_count("With group=name, the number of this person's faces within the threshold.", 1),
    ),
    "SearchResult": _success(
        face_token={**_TOKEN, "description": "The token of the probe face; a picture's face gets a new token."},
        threshold=_text("The threshold as sent.", "0.65"),
        cmp_result=_list(reference("Match"), "Matches, nearest first, without the probe face."),
        truncated=_flag(
            "Whether more matches are within the threshold than the limit allows or a reply of 6 MB holds."
        ),
        thresholds=reference("Thresholds"),
        worst_false_match_rates=reference("WorstFalseMatchRates"),
    ),
    "ComparedFace": {
        **_object(optional=("face_token", *_FOUND), face_token=_TOKEN, **_FOUND),
        "description": "A token as sent, or the largest face found in a picture.",
    },
    "Comparison": _success(
        distant=_DISTANCE,
        thresholds=reference("Thresholds"),
        worst_false_match_rates=reference("WorstFalseMatchRates"),
        same_person=_SAME_PERSON,
        face1=reference("ComparedFace"),
        face2=reference("ComparedFace"),
    ),
    "Groups": _success(
        groups=_list(
            _list(_TOKEN, minItems=2),
            "The groups, each of faces that look like one person; the largest first, then as sent.",
        ),
        ungrouped=_list(_TOKEN, "The faces that look like no other."),
        threshold=_number("Groups were joined up to this mean distance between their faces.", minimum=0),
    ),
    "Addition": _success(
        optional=("similar",),
        face_token=_TOKEN,
        face_neme=_NAME,
        similar=_list(
            reference("Match"),
            "With check=true, people with other names who look alike: within the distance of the false match rate "
            "1e-4, nearest first.",
            maxItems=MAX_SIMILAR,
        ),
    ),
    "Removal": _success(face_token=_TOKEN),
    "KnownFace": _object(**_KNOWN),
    "FacePage": _success(
        faces=_list(reference("KnownFace"), "The faces, oldest first; by part of a name, person by person."),
        next_cursor=_NEXT_CURSOR,
    ),
    "OneFace": _success(
        **_KNOWN, crop_url=_text("The address of the face's crop, valid for five minutes, or a path of this server.")
    ),
    "Person": _object(
        name=_NAME,
        faces=_count("The number of the person's faces.", 1),
        cover={**_TOKEN, "description": "The token of the face that shows the person: the chosen or the first one."},
        first_added_at={**_ADDED_AT, "description": "When the first of the person's faces was added, in UTC."},
        last_added_at={**_ADDED_AT, "description": "When the last of the person's faces was added, in UTC."},
    ),
    "PeoplePage": _success(
        people=_list(reference("Person"), "The people, in the order in which they got their first face."),
        next_cursor=_NEXT_CURSOR,
    ),
    "PersonChange": _success(
        name=_NAME,
        renamed=_count("The number of faces that this request renamed."),
        done=_flag("False if faces remain to be renamed: send the request again."),
    ),
    "PersonDeletion": _success(
        name=_NAME,
        removed=_count("The number of faces that this request removed."),
        done=_flag("False if faces remain: send the request again."),
    ),
    "CountedFaceSet": _object(
        face_set=_text("The face set's name.", DEFAULT_SET), faces=_count("The number of its faces.")
    ),
    "FaceSetList": _success(face_sets=_list(reference("CountedFaceSet"), "All face sets, sorted by name.")),
    "FaceSetCreation": _success(
        face_set=_text("The face set's name.", "staff"), created=_flag("False if the face set already existed.")
    ),
    "FaceSetDeletion": _success(
        face_set=_text("The face set's name.", "staff"),
        removed=_count("The number of faces that this request removed."),
        done=_flag("False if faces remain: send the request again."),
    ),
    "Document": {"type": "object"},
    "Health": _object(status={"type": "string", "const": "ok"}),
    "MeasuredThreshold": _object(
        fmr=_number("The share of pairs of different people within the threshold.", minimum=0, maximum=1),
        distance=_number("The threshold, a distance.", minimum=0),
        true_match_rate=_number("The share of pairs of the same person within the threshold.", minimum=0, maximum=1),
        data=_text("The data on which the threshold was measured."),
        false_match_rates={
            "type": "object",
            "description": "For each measured set, the share of pairs of different people within the threshold.",
            "additionalProperties": {"type": "number"},
        },
        worst_false_match_rate={
            "type": ["number", "null"],
            "description": "The largest of these shares; null if they were not measured.",
            "minimum": 0,
            "maximum": 1,
        },
    ),
    "Model": _object(
        name=_text("The model pack's name.", "dlib"),
        title=_text("The model pack's parts."),
        embedding_id=_text("Only embeddings with the same id are compared."),
        thresholds=_list(reference("MeasuredThreshold")),
        weaknesses=_list({"type": "string"}, "Conditions and groups for which the model errs more."),
    ),
    "Limits": _object(
        image_bytes=_count("The largest size of a picture, in bytes."),
        image_side_px=_list(
            {"type": "integer"}, "The smallest and the largest side of a picture, in pixels.", minItems=2, maxItems=2
        ),
        smallest_face_px=_count("The smallest face that is detected, in pixels."),
        name_characters=_count("The largest number of characters in a name."),
        results=_count("The largest number of results of a search."),
        faces_per_picture=_count("The largest number of faces returned for a picture; the largest faces are kept."),
    ),
    "Recall": _object(
        share=_number("The share of faces within the threshold 0.65 that searches found.", minimum=0, maximum=1),
        searches=_count("The number of searches in the measurement."),
        measured_at=_text("When the recall was measured, in UTC.", "2026-01-31T09:30:00Z"),
    ),
    "LoadedGallery": _object(
        optional=("recall",),
        loaded=_flag("Whether this container has loaded the known faces; the first search loads them."),
        faces={
            "type": ["integer", "null"],
            "description": "The number of the model's faces in memory here; null if a vector index holds them.",
        },
        version=_count("The number of changes to the known faces that it has seen; 0 before it is loaded."),
        exact=_flag("Whether searches find every face within the threshold."),
        recall={
            "anyOf": [reference("Recall"), {"type": "null"}],
            "description": "How much searches find; present only if searches are not exact, null until measured.",
        },
    ),
    "Info": _success(
        model=reference("Model"),
        faces=_count("The number of known faces."),
        gallery=reference("LoadedGallery"),
        limits=reference("Limits"),
    ),
}
