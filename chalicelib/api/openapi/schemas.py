"""What is answered: the fields of every reply, the misspelt ones beside their twins."""

from __future__ import annotations

from typing import Any

from chalicelib import names
from chalicelib.api.openapi import failures
from chalicelib.api.openapi.parameters import EXAMPLE_TOKENS, FACE_TOKEN
from chalicelib.api.replies import TWINS
from chalicelib.faces import DEFAULT_SET
from chalicelib.vision.detector import MAX_FACES

Schema = dict[str, Any]


def reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(*, optional: tuple[str, ...] = (), **fields: Schema) -> Schema:
    """Return an object's schema: each misspelt field has its twin, and all but some are always there."""
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
    "description": "24 letters and digits that stand for a face.",
    "examples": [EXAMPLE_TOKENS[0]],
}
_NAME = {**_text("Whose face it is.", "Ada Lovelace"), "maxLength": names.MAX_NAME_CHARACTERS}
_FACE_SET = _text("The face set that holds it.", DEFAULT_SET)
_DISTANCE = _number("How unlike two faces are; 0 is the same picture.", minimum=0)
_FOUND: dict[str, Any] = {
    "top_left": _point("A corner of the face's box, [x, y] in pixels of the upright picture."),
    "bottom_right": _point("The opposite corner."),
    "confidence": _number("How sure the detector is.", minimum=0, maximum=1),
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
    "added_at": {"type": "string", "format": "date-time", "description": "When it was added, UTC."},
}

SCHEMAS: dict[str, Schema] = {
    "Error": failures.SCHEMA,
    "Pose": _object(
        yaw=_number("Degrees by which the head is turned to the side."),
        pitch=_number("Degrees by which it looks up, or, below 0, down."),
        roll=_number("Degrees by which it leans."),
    ),
    "Quality": _object(
        optional=("recognisability",),
        size=_number("The shorter side of the box, px.", minimum=0),
        sharpness=_number("1 is all edges, 0 is what blurring leaves as it is.", maximum=1),
        brightness=_number("0 is black, 1 is white.", minimum=0, maximum=1),
        pose=reference("Pose"),
        recognisability=_number(
            "The share of LFW's faces that the model recognises less well, in percent: below 1 the face is covered or "
            "unclear. Only of models that measure it.",
            minimum=0,
            maximum=100,
        ),
        reasons=_list({"type": "string"}, "Why the face is poor for recognition; empty when it is not."),
    ),
    "DetectedFace": _object(
        face_token=_TOKEN, face_name=_text("The name of the face's crop.", "f2b6c79f-….jpg"), **_FOUND
    ),
    "Detection": _success(
        face_num=_count("How many faces there are."),
        faces=_list(reference("DetectedFace"), "The largest first.", maxItems=MAX_FACES),
        truncated=_flag(f"Whether the picture may show more faces; of many the {MAX_FACES} largest are given."),
    ),
    "Thresholds": {
        "type": "object",
        "description": "The distance within which one pair of different people in 100, 1,000 and 10,000 passes, by "
        "that rate. Which rates there are depends on the model.",
        "additionalProperties": {"type": "number"},
        "examples": [{"1e-2": 0.67, "1e-3": 0.589, "1e-4": 0.515}],
    },
    "WorstFalseMatchRates": {
        "type": "object",
        "description": "For each of these thresholds the share of pairs of different people within it, of the labelled "
        "set for which it is largest: how far off the rate can be for some people.",
        "additionalProperties": {"type": "number"},
        "examples": [{"1e-2": 0.11, "1e-3": 0.04, "1e-4": 0.005}],
    },
    "Match": _object(
        optional=("faces",),
        face_token=_TOKEN,
        distant=_DISTANCE,
        face_name=_NAME,
        faces=_count("With group=name: how many faces of this person are within the threshold.", 1),
    ),
    "SearchResult": _success(
        face_token={**_TOKEN, "description": "The face that was searched for; of a picture, a new token."},
        threshold=_text("As it was given.", "0.65"),
        cmp_result=_list(reference("Match"), "The nearest first, without the face that was searched for."),
        truncated=_flag("Whether more are within the threshold than were asked for, or than a reply of 6 MB holds."),
        thresholds=reference("Thresholds"),
        worst_false_match_rates=reference("WorstFalseMatchRates"),
    ),
    "ComparedFace": {
        **_object(optional=("face_token", *_FOUND), face_token=_TOKEN, **_FOUND),
        "description": "A token as it was given, or the largest face of a picture as it was found.",
    },
    "Comparison": _success(
        distant=_DISTANCE,
        thresholds=reference("Thresholds"),
        worst_false_match_rates=reference("WorstFalseMatchRates"),
        same_person={
            "type": "object",
            "description": "Whether the distance is within each of the thresholds.",
            "additionalProperties": {"type": "boolean"},
        },
        face1=reference("ComparedFace"),
        face2=reference("ComparedFace"),
    ),
    "Addition": _success(face_token=_TOKEN, face_neme=_NAME),
    "Removal": _success(face_token=_TOKEN),
    "KnownFace": _object(**_KNOWN),
    "FacePage": _success(
        faces=_list(reference("KnownFace"), "The oldest first."),
        next_cursor={"type": ["string", "null"], "description": "The cursor of the next page; null at the end."},
    ),
    "OneFace": _success(
        **_KNOWN, crop_url=_text("Where the face's picture is: an address good for five minutes, or a path.")
    ),
    "CountedFaceSet": _object(face_set=_text("Its name.", DEFAULT_SET), faces=_count("How many faces it has.")),
    "FaceSetList": _success(face_sets=_list(reference("CountedFaceSet"), "By name.")),
    "FaceSetCreation": _success(face_set=_text("Its name.", "staff"), created=_flag("False when it was there before.")),
    "FaceSetDeletion": _success(
        face_set=_text("Its name.", "staff"),
        removed=_count("How many faces this request removed."),
        done=_flag("False when there are more: send the request again."),
    ),
    "Document": {"type": "object"},
    "Health": _object(status={"type": "string", "const": "ok"}),
    "MeasuredThreshold": _object(
        fmr=_number("The share of pairs of different people within it.", minimum=0, maximum=1),
        distance=_number("The threshold.", minimum=0),
        true_match_rate=_number("The share of pairs of one person within it.", minimum=0, maximum=1),
        data=_text("What it was measured on."),
        false_match_rates={
            "type": "object",
            "description": "The share of pairs of different people within it, for each labelled set that was measured.",
            "additionalProperties": {"type": "number"},
        },
        worst_false_match_rate={
            "type": ["number", "null"],
            "description": "The largest of these shares; null where they were not measured.",
            "minimum": 0,
            "maximum": 1,
        },
    ),
    "Model": _object(
        name=_text("The model pack's name.", "dlib"),
        title=_text("What it consists of."),
        embedding_id=_text("Embeddings are compared only with those of the same id."),
        thresholds=_list(reference("MeasuredThreshold")),
        weaknesses=_list({"type": "string"}, "For whom it errs more."),
    ),
    "Limits": _object(
        image_bytes=_count("The most bytes of a picture."),
        image_side_px=_list({"type": "integer"}, "The least and the most pixels of a side.", minItems=2, maxItems=2),
        smallest_face_px=_count("The smallest face that is looked for."),
        name_characters=_count("The longest name."),
        results=_count("The most results of a search."),
        faces_per_picture=_count("The most faces of a picture that are given, the largest."),
    ),
    "Recall": _object(
        share=_number("The share of the faces within the threshold 0.65 that searches found.", minimum=0, maximum=1),
        searches=_count("How many searches that was measured by."),
        measured_at=_text("When that was, in UTC.", "2026-01-31T09:30:00Z"),
    ),
    "LoadedGallery": _object(
        optional=("recall",),
        loaded=_flag("Whether this container has the known faces at hand; the first search sees to that."),
        faces={
            "type": ["integer", "null"],
            "description": "How many faces of the model it has in memory; null where they are in a vector index.",
        },
        version=_count("How many changes of the known faces it has seen; 0 before it is loaded."),
        exact=_flag("Whether searches find every face that there is within the threshold."),
        recall={
            "anyOf": [reference("Recall"), {"type": "null"}],
            "description": "Only where searches are not exact: how much they find; null until that is measured.",
        },
    ),
    "Info": _success(
        model=reference("Model"),
        faces=_count("How many faces are known."),
        gallery=reference("LoadedGallery"),
        limits=reference("Limits"),
    ),
}
