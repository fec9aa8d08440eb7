"""Builds the body of every reply."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from chalice.app import Response

from chalicelib import errors, names, times
from chalicelib.api import fields, response_headers
from chalicelib.api.reply_bytes import fitting
from chalicelib.errors import ServiceError
from chalicelib.faces import DetectedFace, Found, Match, Quality, SearchResult
from chalicelib.gallery.gallery import Contents
from chalicelib.images import decoding
from chalicelib.service import cursors
from chalicelib.service.comparison import Comparison
from chalicelib.service.face_service import Identified, SavedFace, Searched
from chalicelib.service.grouping import Grouping
from chalicelib.service.known_faces import Page, cursor_after
from chalicelib.service.known_people import Changed, PeoplePage
from chalicelib.settings import current_settings
from chalicelib.stores.face_set.face_listing import ListedFace
from chalicelib.stores.face_set.face_set_names import CountedFaceSet
from chalicelib.stores.face_set.people import Person
from chalicelib.vision import quality
from chalicelib.vision.detector import MAX_FACES
from chalicelib.vision.model_pack import ModelPack, Threshold

# A weakness that /info lists for packs without a table of recognisability.
COVERED_UNNOTICED = "It does not detect covered faces and takes them for recognisable."

# Fields that the published contract misspells, each with its correctly spelt twin.
TWINS = {"sucess": "success", "face_neme": "face_name", "distant": "distance"}


def success(**fields: Any) -> dict[str, Any]:
    twinned: dict[str, Any] = _with_twins({"sucess": True, **fields})
    return twinned


def failure(error: ServiceError) -> Response:
    body = {
        "sucess": False,
        "error_code": error.code,
        "error_msg": errors.MESSAGES[error.code],
        "detail": error.detail,
    }
    headers: dict[str, str | list[str]] = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if error.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    response_headers.complete(headers)
    return Response(_with_twins(body), status_code=error.status, headers=headers)


def detected(faces: Found[SavedFace]) -> dict[str, Any]:
    return success(face_num=len(faces), faces=[_face(face) for face in faces], truncated=faces.truncated)


def found(found: Searched, threshold: str) -> dict[str, Any]:
    """Return a search's reply. `thresholds` maps false match rates to distances, as Face++ does."""
    matches = _with_twins([_match(match) for match in found.result.matches])
    fit = fitting(matches)
    return success(
        face_token=found.token,
        threshold=threshold,
        cmp_result=matches[:fit],
        truncated=found.result.truncated or fit < len(matches),
        thresholds=_by_rate(found.thresholds),
        worst_false_match_rates=_worst_by_rate(found.thresholds),
    )


def identified(found: Identified) -> dict[str, Any]:
    """Return the faces of a picture with their matches. A reply that would be too large keeps the nearest ones."""
    by_rate = _by_rate(found.thresholds)
    most = max((len(result.matches) for _, result in found.faces), default=0)
    while True:
        faces = [_identified(face, result, by_rate, most) for face, result in found.faces]
        if fitting(faces) == len(faces):
            break
        most //= 2
    return success(
        face_num=len(faces),
        faces=faces,
        truncated=found.faces.truncated,
        threshold=found.threshold,
        thresholds=by_rate,
        worst_false_match_rates=_worst_by_rate(found.thresholds),
    )


def _identified(face: SavedFace, result: SearchResult, by_rate: Mapping[str, float], most: int) -> dict[str, Any]:
    matches = [{**_match(match), "same_person": _same(match.distance, by_rate)} for match in result.matches[:most]]
    truncated = result.truncated or most < len(result.matches)
    return {**_face(face), "matches": _with_twins(matches), "truncated": truncated}


def added(token: str, name: str, similar: Sequence[Match] | None) -> dict[str, Any]:
    fields: dict[str, Any] = {} if similar is None else {"similar": [_match(match) for match in similar]}
    return success(face_token=token, face_neme=name, **fields)


def compared(comparison: Comparison) -> dict[str, Any]:
    by_rate = _by_rate(comparison.thresholds)
    face1, face2 = (
        {"face_token": f} if isinstance(f, str) else _found(f.detected, f.quality) for f in comparison.faces
    )
    return success(
        distant=comparison.distance,
        thresholds=by_rate,
        worst_false_match_rates=_worst_by_rate(comparison.thresholds),
        same_person=_same(comparison.distance, by_rate),
        face1=face1,
        face2=face2,
    )


def grouped(grouping: Grouping) -> dict[str, Any]:
    return success(groups=grouping.groups, ungrouped=grouping.ungrouped, threshold=grouping.threshold)


def listed(page: Page) -> dict[str, Any]:
    faces = [_listed(face) for face in page.faces]
    fit = fitting(faces)
    return success(
        faces=faces[:fit],
        next_cursor=page.next_cursor if fit == len(faces) else cursor_after(page.faces[fit - 1]),
    )


def people(page: PeoplePage) -> dict[str, Any]:
    listed = [_person(person) for person in page.people]
    fit = fitting(listed)
    return success(
        people=listed[:fit],
        next_cursor=page.next_cursor if fit == len(listed) else cursors.encode(page.people[fit - 1].id),
    )


def changed(change: Changed) -> dict[str, Any]:
    return success(name=change.name, renamed=change.faces, done=change.done)


def known(face: ListedFace, crop_url: str) -> dict[str, Any]:
    return success(**_listed(face), crop_url=crop_url)


def face_sets(counted: Sequence[CountedFaceSet]) -> dict[str, Any]:
    return success(face_sets=[{"face_set": name, "faces": faces} for name, faces in counted])


def picture(crop: bytes | str) -> Response:
    """Return a crop as a JPEG file, or redirect to its address."""
    headers: dict[str, str | list[str]] = {"Cache-Control": "private, no-store"}
    if isinstance(crop, str):
        return Response("", status_code=302, headers={**headers, "Location": crop})
    return Response(crop, headers={**headers, "Content-Type": "image/jpeg"})


def info(pack: ModelPack, faces: int, gallery: Contents) -> dict[str, Any]:
    """Describe the service. `gallery` is this container's memory, which each search updates from the face set."""
    return success(
        model={
            "name": pack.name,
            "title": pack.title,
            "embedding_id": pack.embedding_id,
            "thresholds": [
                {
                    "fmr": t.fmr,
                    "distance": t.distance,
                    "true_match_rate": t.true_match_rate,
                    "data": t.data,
                    "false_match_rates": t.false_match_rates,
                    "worst_false_match_rate": t.worst,
                }
                for t in pack.thresholds
            ],
            "weaknesses": [*pack.weaknesses, *([] if pack.embedder.recognisability else [COVERED_UNNOTICED])],
        },
        faces=faces,
        gallery=_gallery(gallery),
        limits={
            "image_bytes": current_settings().max_image_bytes,
            "image_side_px": [decoding.MIN_SIDE_PX, current_settings().max_image_side_px],
            "smallest_face_px": pack.detector.smallest_face,
            "name_characters": names.MAX_NAME_CHARACTERS,
            "results": fields.MAX_RESULTS,
            "faces_per_picture": MAX_FACES,
        },
    )


def _gallery(gallery: Contents) -> dict[str, Any]:
    """Describe a gallery. One that is not exact also reports its recall, and how the recall was measured."""
    described: dict[str, Any] = {
        "loaded": gallery.version is not None,
        "faces": gallery.faces,
        "version": gallery.version or 0,
        "exact": gallery.exact,
    }
    if not gallery.exact:
        recall = gallery.recall
        described["recall"] = recall and {
            "share": recall.share,
            "searches": recall.probes,
            "measured_at": times.as_text(recall.measured_at),
        }
    return described


def _listed(face: ListedFace) -> dict[str, str]:
    return {
        "face_token": face.token,
        "face_name": face.name,
        "face_set": face.face_set,
        "added_at": times.as_text(face.added_at),
    }


def _person(person: Person) -> dict[str, Any]:
    return {
        "name": person.name,
        "faces": person.faces,
        "cover": person.cover,
        "first_added_at": times.as_text(person.first_added_at),
        "last_added_at": times.as_text(person.last_added_at),
    }


def _match(match: Match) -> dict[str, Any]:
    fields = {"face_token": match.token, "distant": match.distance, "face_name": match.name}
    return fields if match.faces is None else {**fields, "faces": match.faces}


def _by_rate(thresholds: Sequence[Threshold]) -> dict[str, float]:
    return {_rate(t): t.distance for t in thresholds}


def _same(distance: float, by_rate: Mapping[str, float]) -> dict[str, bool]:
    return {rate: distance <= threshold for rate, threshold in by_rate.items()}


def _worst_by_rate(thresholds: Sequence[Threshold]) -> dict[str, float]:
    """Map each false match rate to the worst labelled set's rate at the same threshold, where measured."""
    return {_rate(t): t.worst for t in thresholds if t.worst is not None}


def _rate(threshold: Threshold) -> str:
    return f"{threshold.fmr:.0e}".replace("e-0", "e-")


def _face(face: SavedFace) -> dict[str, Any]:
    return {"face_token": face.token, "face_name": face.crop, **_found(face.detected, face.quality)}


def _found(face: DetectedFace, judged: Quality) -> dict[str, Any]:
    return {
        "top_left": [face.box.left, face.box.top],
        "bottom_right": [face.box.right, face.box.bottom],
        "confidence": face.confidence,
        "landmarks": [[float(x), float(y)] for x, y in face.landmarks],
        "quality": {
            "size": judged.size,
            "sharpness": judged.sharpness,
            "brightness": judged.brightness,
            "pose": {"yaw": judged.yaw, "pitch": judged.pitch, "roll": judged.roll},
            **({} if judged.recognisability is None else {"recognisability": judged.recognisability}),
            "reasons": quality.reasons(judged),
        },
    }


def _with_twins(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_twins(item) for item in value]
    if not isinstance(value, dict):
        return value
    twinned = {}
    for key, item in value.items():
        twinned[key] = _with_twins(item)
        if key in TWINS:
            twinned[TWINS[key]] = twinned[key]
    return twinned
