"""The HTTP routes."""

from __future__ import annotations

from typing import Any

from chalice.app import Chalice, CloudWatchEvent, Rate

from chalicelib import operations, replies, transfers, uploads
from chalicelib.endpoints import endpoint, keep_error_shape
from chalicelib.wiring import wiring

app = Chalice(app_name="face-search")
# API Gateway hands these over as base64, byte for byte.
app.api.binary_types.append("multipart/form-data")
app.register_middleware(keep_error_shape, "http")


@endpoint(app, "/detect", "POST")
def detect(arguments: uploads.Arguments) -> dict[str, Any]:
    return replies.detected(wiring().serving.present.service.detect(arguments.image()))


@endpoint(app, "/search", "GET")
def search_by_token(arguments: uploads.Arguments) -> dict[str, Any]:
    token, (text, threshold), limit = arguments.token(), arguments.threshold(), arguments.limit()
    pack, result = wiring().serving.answer(
        lambda served: (served.pack, served.service.search_token(token, threshold, limit))
    )
    return replies.found(token, text, result, pack.thresholds)


@endpoint(app, "/search", "POST")
def search_by_picture(arguments: uploads.Arguments) -> dict[str, Any]:
    image, (text, threshold), limit = arguments.image(), arguments.threshold(), arguments.limit()
    pack, (token, result) = wiring().serving.answer(
        lambda served: (served.pack, served.service.search_picture(image, threshold, limit))
    )
    return replies.found(token, text, result, pack.thresholds)


@endpoint(app, "/addface", "GET")
def add_face(arguments: uploads.Arguments) -> dict[str, Any]:
    token, name, refuse_poor = arguments.token(), arguments.name(), arguments.refuse_poor()
    wiring().serving.answer(lambda served: served.service.add(token, name, refuse_poor=refuse_poor))
    return replies.success(face_token=token, face_neme=name)


@endpoint(app, "/removeface", "GET")
def remove_face(arguments: uploads.Arguments) -> dict[str, Any]:
    token = arguments.token()
    wiring().serving.present.service.remove(token)
    return replies.success(face_token=token)


@endpoint(app, "/health", "GET")
def health(_: uploads.Arguments) -> dict[str, Any]:
    return {"status": "ok"}


@endpoint(app, "/info", "GET")
def info(_: uploads.Arguments) -> dict[str, Any]:
    return wiring().serving.answer(lambda served: replies.info(served.pack, served.service.count()))


@app.schedule(Rate(operations.COMPACTION_MINUTES, unit=Rate.MINUTES))
def compact(_: CloudWatchEvent) -> str:
    return operations.compact(wiring())


@app.lambda_function(name="re_embed")
def re_embed(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return operations.re_embed_in_time(wiring(), event, context.get_remaining_time_in_millis)


@app.lambda_function(name="export")
def export(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return transfers.export_in_time(wiring(), event, context.get_remaining_time_in_millis)


@app.lambda_function(name="import_faces")
def import_faces(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return transfers.import_in_time(wiring(), event, context.get_remaining_time_in_millis)
