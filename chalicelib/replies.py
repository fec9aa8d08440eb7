"""The JSON of every reply."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from chalice.app import Response

from chalicelib import errors, images, uploads
from chalicelib.errors import ServiceError
from chalicelib.face_directory import Page
from chalicelib.faces import SearchResult
from chalicelib.service import SavedFace
from chalicelib.stores.face_listing import ListedFace
from chalicelib.vision import quality
from chalicelib.vision.model_pack import ModelPack, Threshold

# Fields that the published contract misspells, and the twin that stands beside each.
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
    return Response(_with_twins(body), status_code=error.status, headers=headers)


def detected(faces: Sequence[SavedFace]) -> dict[str, Any]:
    return success(face_num=len(faces), faces=[_face(face) for face in faces])


def found(token: str, threshold: str, result: SearchResult, thresholds: Sequence[Threshold]) -> dict[str, Any]:
    """`thresholds` maps false match rates to distances, as Face++ does: what the threshold of the request means."""
    return success(
        face_token=token,
        threshold=threshold,
        cmp_result=[
            {"face_token": match.token, "distant": match.distance, "face_name": match.name} for match in result.matches
        ],
        truncated=result.truncated,
        thresholds={f"{t.fmr:.0e}".replace("e-0", "e-"): t.distance for t in thresholds},
    )


def listed(page: Page) -> dict[str, Any]:
    return success(faces=[_listed(face) for face in page.faces], next_cursor=page.next_cursor)


def known(face: ListedFace, crop_url: str) -> dict[str, Any]:
    return success(**_listed(face), crop_url=crop_url)


def picture(crop: bytes | str) -> Response:
    """A JPEG file, or the address where it is."""
    headers: dict[str, str | list[str]] = {"Cache-Control": "private, no-store"}
    if isinstance(crop, str):
        return Response("", status_code=302, headers={**headers, "Location": crop})
    return Response(crop, headers={**headers, "Content-Type": "image/jpeg"})


def info(pack: ModelPack, faces: int) -> dict[str, Any]:
    return success(
        model={
            "name": pack.name,
            "title": pack.title,
            "embedding_id": pack.embedding_id,
            "thresholds": [
                {"fmr": t.fmr, "distance": t.distance, "true_match_rate": t.true_match_rate, "data": t.data}
                for t in pack.thresholds
            ],
            "weaknesses": list(pack.weaknesses),
        },
        faces=faces,
        limits={
            "image_bytes": images.MAX_IMAGE_BYTES,
            "image_side_px": [images.MIN_SIDE_PX, images.MAX_SIDE_PX],
            "smallest_face_px": pack.detector.smallest_face,
            "name_characters": uploads.MAX_NAME_CHARACTERS,
            "results": uploads.MAX_RESULTS,
        },
    )


def _listed(face: ListedFace) -> dict[str, str]:
    return {
        "face_token": face.token,
        "face_name": face.name,
        "face_set": face.face_set,
        "added_at": datetime.fromtimestamp(face.added_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _face(face: SavedFace) -> dict[str, Any]:
    box = face.detected.box
    return {
        "face_token": face.token,
        "face_name": face.crop,
        "top_left": [box.left, box.top],
        "bottom_right": [box.right, box.bottom],
        "confidence": face.detected.confidence,
        "landmarks": [[float(x), float(y)] for x, y in face.detected.landmarks],
        "quality": {
            "size": face.quality.size,
            "sharpness": face.quality.sharpness,
            "brightness": face.quality.brightness,
            "pose": {"yaw": face.quality.yaw, "pitch": face.quality.pitch, "roll": face.quality.roll},
            "reasons": quality.reasons(face.quality),
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
