"""The HTTP routes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from chalice.app import CloudWatchEvent, Rate, Response

from chalicelib import cold_start
from chalicelib.api import console, fields, replies
from chalicelib.api.arguments import Arguments
from chalicelib.api.routing import (
    Service,
    complete_headers,
    document,
    endpoint,
    keep_error_shape,
    preflights,
    write_json,
)
from chalicelib.faces import Match
from chalicelib.happenings import Happening
from chalicelib.service.face_service import FaceService
from chalicelib.settings import current_settings
from chalicelib.telemetry.middleware import observe
from chalicelib.wiring import wiring

# A removed face leaves the packed segments within this time plus the duration of one run.
COMPACTION_MINUTES = 5

app = Service(app_name="face-search", configure_logs=False)


def sets_of(tokens: Sequence[str]) -> Mapping[str, str]:
    return wiring().face_listing.sets_of(tokens)


def publish(happened: Sequence[Happening]) -> None:
    wiring().event_bus.publish(happened)


app.sets_of = sets_of
app.publish = publish
# The first middleware is the outermost, so the others see bodies before they become text.
app.register_middleware(write_json, "http")
observe(app)
# API Gateway passes this type as base64, byte for byte.
app.api.binary_types.append("multipart/form-data")
# Only the local server sends crops. Chalice would refuse a binary type to clients without a matching Accept header.
app.api.binary_types.remove("image/jpeg")
app.register_middleware(complete_headers, "http")
app.register_middleware(keep_error_shape, "http")


@endpoint(app, "/detect", "POST")
def detect(arguments: Arguments) -> dict[str, Any]:
    return replies.detected(wiring().active_pack.present.detect(arguments.image()))


@endpoint(app, "/search", "GET")
def search_by_token(arguments: Arguments) -> dict[str, Any]:
    token, terms, face_set = arguments.token(), arguments.terms(), arguments.face_set()
    found = wiring().active_pack.answer(lambda service: service.search_token(token, terms, face_set))
    return replies.found(found, arguments.threshold())


@endpoint(app, "/search", "POST")
def search_by_picture(arguments: Arguments) -> dict[str, Any]:
    image, terms, face_set = arguments.image(), arguments.terms(), arguments.face_set()
    found = wiring().active_pack.answer(lambda service: service.search_picture(image, terms, face_set))
    return replies.found(found, arguments.threshold())


@endpoint(app, "/identify", "POST")
def identify(arguments: Arguments) -> dict[str, Any]:
    image, threshold, limit = arguments.image(), arguments.identify_threshold(), arguments.limit()
    face_set = arguments.face_set()
    return replies.identified(
        wiring().active_pack.answer(lambda service: service.identify(image, threshold, limit, face_set))
    )


@endpoint(app, "/compare", "POST", pictures=2)
def compare(arguments: Arguments) -> dict[str, Any]:
    one, other = arguments.compared(1), arguments.compared(2)
    return replies.compared(wiring().active_pack.answer(lambda service: service.compare(one, other)))


@endpoint(app, "/groups", "POST", listed=fields.MAX_GROUPED_FACES)
def group_faces(arguments: Arguments) -> dict[str, Any]:
    tokens = arguments.tokens()
    return replies.grouped(wiring().active_pack.answer(lambda service: service.group(tokens)))


@endpoint(app, "/addface", "POST")
@endpoint(app, "/addface", "GET", changes=True)
def add_face(arguments: Arguments) -> dict[str, Any]:
    token, name, face_set = arguments.token(), arguments.name(), arguments.face_set()
    refuse_poor, check = arguments.refuse_poor(), arguments.check()

    def add(service: FaceService) -> list[Match] | None:
        similar = service.similar(token, name, face_set) if check else None
        service.add(token, name, face_set=face_set, refuse_poor=refuse_poor)
        return similar

    return replies.added(token, name, wiring().active_pack.answer(add))


@endpoint(app, "/faces/{face_token}", "DELETE")
@endpoint(app, "/removeface", "POST")
@endpoint(app, "/removeface", "GET", changes=True)
def remove_face(arguments: Arguments) -> dict[str, Any]:
    token = arguments.token()
    wiring().removal.remove(token)
    return replies.success(face_token=token)


@endpoint(app, "/faces", "GET")
def list_faces(arguments: Arguments) -> dict[str, Any]:
    face_set, part, at_start, limit = (
        arguments.face_set(),
        arguments.part(),
        arguments.at_start(),
        arguments.page_limit(),
    )
    if part and not at_start:
        return replies.listed(wiring().known_people.faces_by_part(face_set, part, arguments.place(), limit))
    return replies.listed(wiring().known_faces.page(face_set, arguments.after(), limit, part))


@endpoint(app, "/faces/{face_token}", "GET")
def get_face(arguments: Arguments) -> dict[str, Any]:
    directory = wiring().known_faces
    face = directory.get(arguments.token())
    return replies.known(face, directory.crop_url(face))


@endpoint(app, "/faces/{face_token}", "PUT")
def rename_face(arguments: Arguments) -> dict[str, Any]:
    directory = wiring().known_faces
    face = directory.rename(arguments.token(), arguments.new_name())
    return replies.known(face, directory.crop_url(face))


@endpoint(app, "/faces/{face_token}/crop", "GET")
def get_crop(arguments: Arguments) -> Response:
    return replies.picture(wiring().known_faces.crop(arguments.token()))


@endpoint(app, "/people", "GET")
def list_people(arguments: Arguments) -> dict[str, Any]:
    page = arguments.face_set(), arguments.after(), arguments.page_limit(), arguments.part()
    return replies.people(wiring().known_people.page(*page))


@endpoint(app, "/people/{person}", "PUT")
def change_person(arguments: Arguments) -> dict[str, Any]:
    face_set, person, merge = arguments.face_set(), arguments.person(), arguments.merge()
    name, cover = arguments.change()
    return replies.changed(wiring().known_people.change(face_set, person, name, merge=merge, cover=cover))


@endpoint(app, "/people/{person}", "DELETE")
def delete_person(arguments: Arguments) -> dict[str, Any]:
    face_set, person = arguments.face_set(), arguments.person()
    name, removed = wiring().removal.remove_person(face_set, person)
    return replies.success(name=name, removed=removed.faces, done=removed.done)


@endpoint(app, "/people/{person}/faces", "GET")
def list_faces_of_person(arguments: Arguments) -> dict[str, Any]:
    face_set, person = arguments.face_set(), arguments.person()
    after, limit = arguments.after(), arguments.page_limit()
    return replies.listed(wiring().known_people.faces(face_set, person, after, limit))


@endpoint(app, "/face_sets", "GET")
def list_face_sets(arguments: Arguments) -> dict[str, Any]:
    return replies.face_sets([one for one in wiring().face_set_names.all() if arguments.sees(one.name)])


@endpoint(app, "/face_sets", "POST")
def create_face_set(arguments: Arguments) -> dict[str, Any]:
    name = arguments.named_face_set()
    return replies.success(face_set=name, created=wiring().face_set_names.create(name))


@endpoint(app, "/face_sets/{face_set}", "DELETE")
def delete_face_set(arguments: Arguments) -> dict[str, Any]:
    name = arguments.named_face_set()
    removed = wiring().removal.remove_set(name)
    return replies.success(face_set=name, removed=removed.faces, done=removed.done)


@endpoint(app, "/health", "GET", key=False)
def health(_: Arguments) -> dict[str, Any]:
    return {"status": "ok"}


@endpoint(app, "/openapi.json", "GET", key=False)
def specification(_: Arguments) -> dict[str, Any]:
    from chalicelib.api.openapi.document import openapi

    return openapi(current_settings().identity)


@endpoint(app, "/info", "GET")
def info(_: Arguments) -> dict[str, Any]:
    return wiring().active_pack.answer(
        lambda service: replies.info(service.pack, service.count(), service.gallery_contents())
    )


# Clients of the earlier API find its page at `/upload`.
document(app, ("/", "/upload"), console.page)
document(app, ("/docs",), console.reference)
preflights(app)


# Imported lazily to keep the API's cold start short: only these functions run them.
@app.schedule(Rate(COMPACTION_MINUTES, unit=Rate.MINUTES))
def compact(event: CloudWatchEvent) -> str:
    from chalicelib.maintenance import operations

    context: Any = event.context
    return operations.compact_in_time(wiring(), context.get_remaining_time_in_millis)


@app.schedule(Rate(1, unit=Rate.DAYS))
def reconcile(event: CloudWatchEvent) -> str:
    from chalicelib.maintenance import operations

    context: Any = event.context
    return operations.reconcile_in_time(wiring(), context.get_remaining_time_in_millis)


@app.lambda_function(name="re_embed")
def re_embed(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.maintenance import operations

    return operations.re_embed_in_time(wiring(), event, context.get_remaining_time_in_millis)


@app.lambda_function(name="rebuild_index")
def rebuild_index(_: dict[str, Any], context: Any) -> str:
    from chalicelib.maintenance import operations

    return operations.rebuild_index_in_time(wiring(), context.get_remaining_time_in_millis)


@app.lambda_function(name="migrate")
def migrate(event: dict[str, Any], _: Any) -> str:
    from chalicelib.maintenance import operations

    return operations.migrate_by_event(wiring(), event)


@app.lambda_function(name="export")
def export(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.maintenance.transfer import commands

    return commands.export_in_time(wiring(), event, context.get_remaining_time_in_millis)


@app.lambda_function(name="import_faces")
def import_faces(event: dict[str, Any], context: Any) -> dict[str, Any]:
    from chalicelib.maintenance.transfer import commands

    return commands.import_in_time(wiring(), event, context.get_remaining_time_in_millis)


@app.lambda_function(name="intake")
def intake(event: dict[str, Any], _: Any) -> str:
    from chalicelib.incoming import messages

    return messages.take_messages(wiring(), event)


cold_start.prepare(os.environ)
