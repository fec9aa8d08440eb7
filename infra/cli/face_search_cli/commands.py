"""The commands that work on faces."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from . import pictures, tables
from .api import Api
from .folder_import import similar
from .group import NO, Face, Picture, Token, UnreadFace, answer, as_json, command, end, in_face_set, main
from .lists import list_all

# The service's reference threshold, for models without measured error rates.
REFERENCE_THRESHOLD = 0.65
# Warn when a group's false match rate is more than this many times the nominal rate.
FAR_OFF = 10


@command(main, "detect")
@click.argument("picture", type=Picture())
@click.option(
    "--annotate", type=click.Path(dir_okay=False, path_type=Path), help="Save the picture with the faces marked."
)
@as_json
def detect(connect: Callable[..., Api], picture: bytes, annotate: Path | None, raw: bool) -> None:
    """Detect the faces in a PICTURE. Each face gets a token that is valid for a day."""
    api = connect()
    picture = api.prepared(picture)
    reply = api.call("POST", "/detect", pictures={"image_file": picture})
    faces = reply.body["faces"]
    if annotate is not None:
        pictures.annotate(picture, faces, annotate)
    answer(reply, raw, lambda: tables.detected(faces) if faces else click.echo("no face"))
    sys.exit(0 if faces else NO)


@command(main, "search")
@click.argument("face", type=Face())
@click.option("--threshold", type=float, default=REFERENCE_THRESHOLD, show_default=True, help="Maximum distance.")
@click.option("--limit", type=int, help="Maximum number of matches, nearest first.")
@click.option("--group", type=click.Choice(["none", "name"]), help="name: list each person once.")
@in_face_set
@as_json
def search(connect: Callable[..., Api], face: bytes | str, raw: bool, **arguments: Any) -> None:
    """Find known faces that match a FACE."""
    if isinstance(face, bytes):
        reply = connect().call("POST", "/search", arguments, {"image_file": face})
    else:
        reply = connect().call("GET", "/search", {"face_token": face, **arguments})
    matches = reply.body["cmp_result"]
    answer(reply, raw, lambda: tables.found(matches) if matches else click.echo("no match"))
    if reply.body["truncated"] and not raw:
        click.echo("There are more matches: raise --limit.", err=True)
    sys.exit(0 if matches else NO)


@command(main, "identify")
@click.argument("picture", type=Picture())
@click.option("--threshold", type=float, help="Maximum distance; by default the distance at FMR 1e-3.")
@click.option("--limit", type=int, default=5, show_default=True, help="Maximum number of people for each face.")
@in_face_set
@as_json
def identify(connect: Callable[..., Api], picture: bytes, raw: bool, **arguments: Any) -> None:
    """Detect the faces in a PICTURE and list the people that each may show."""
    reply = connect().call("POST", "/identify", arguments, {"image_file": picture})
    faces = reply.body["faces"]
    answer(reply, raw, lambda: tables.identified(faces) if faces else click.echo("no face"))
    sys.exit(0 if any(face["matches"] for face in faces) else NO)


@command(main, "add")
@click.argument("faces", nargs=-1, required=True, type=UnreadFace(), metavar="FACE...")
@click.option("--name", help="The person's name.")
@click.option("--refuse-poor", is_flag=True, help="Refuse a face that is hard to recognise.")
@in_face_set
@as_json
def add(
    connect: Callable[..., Api],
    faces: tuple[Path | str, ...],
    name: str | None,
    refuse_poor: bool,
    face_set: str | None,
    raw: bool,
) -> None:
    """Add one or several FACEs to a face set, all under one name. A token that was already added is renamed.

    Lists people with other names who look like a face. Stops at the first face that cannot be added.
    """
    api = connect()
    arguments: dict[str, Any] = {"face_name": name, "face_set": face_set, "check": "true"}
    arguments["quality_filter"] = "auto" if refuse_poor else None
    added: list[dict[str, Any]] = []
    try:
        for face in faces:
            reply = api.call("POST", "/addface", {"face_token": _token(api, face), **arguments})
            added.append(reply.body)
            if raw:
                click.echo(reply.text)
    finally:
        if added and not raw:
            tables.show(("face_token", "face_name"), [(each["face_token"], each["face_name"]) for each in added])
            for like in dict.fromkeys(filter(None, map(similar, added))):
                click.echo(tables.printable(like))


def _token(api: Api, face: Path | str) -> str:
    """Return a token, or that of the largest face in a picture."""
    if isinstance(face, str):
        return face
    found = api.call("POST", "/detect", pictures={"image_file": face.read_bytes()}).body["faces"]
    if not found:
        end(NO, f"no face in the picture {face}")
    return str(found[0]["face_token"])


@command(main, "remove")
@click.argument("token", type=Token())
@as_json
def remove(connect: Callable[..., Api], token: str, raw: bool) -> None:
    """Delete the known face of a TOKEN, with its embedding and crop."""
    reply = connect().call("POST", "/removeface", {"face_token": token})
    answer(reply, raw, lambda: click.echo(f"Removed {token}"))


@command(main, "rename")
@click.argument("token", type=Token())
@click.argument("name")
@as_json
def rename(connect: Callable[..., Api], token: str, name: str, raw: bool) -> None:
    """Change the name of the known face of a TOKEN to NAME."""
    reply = connect().call("PUT", f"/faces/{token}", {"face_name": name})
    answer(reply, raw, lambda: tables.known([reply.body]))


@command(main, "list")
@click.option("--name", help="Only names that contain this text, in any case.")
@click.option("--match", type=click.Choice(["any", "start"]), help="start: only names that begin with --name.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number.")
@in_face_set
@as_json
def list_faces(connect: Callable[..., Api], limit: int, raw: bool, **arguments: str | None) -> None:
    """List known faces. With --json, print one line for each page of the service's reply."""
    list_all(connect(), "/faces", "faces", arguments, limit, raw, tables.known)


@command(main, "compare")
@click.argument("one", type=Face())
@click.argument("other", type=Face())
@click.option(
    "--threshold", type=float, help="Maximum distance for the same person; by default the distance at FMR 1e-3."
)
@as_json
def compare(
    connect: Callable[..., Api], one: bytes | str, other: bytes | str, threshold: float | None, raw: bool
) -> None:
    """Check whether two FACEs show the same person."""
    tokens = {f"face_token{n}": face for n, face in ((1, one), (2, other)) if isinstance(face, str)}
    files = {f"image_file{n}": face for n, face in ((1, one), (2, other)) if isinstance(face, bytes)}
    reply = connect().call("POST", "/compare", tokens, files)
    distance, thresholds = reply.body["distance"], reply.body["thresholds"]
    limit = thresholds.get("1e-3", REFERENCE_THRESHOLD) if threshold is None else threshold
    verdict = "same person" if distance <= limit else "different people"

    def show() -> None:
        click.echo(f"{verdict}: distance {distance:.3f}, threshold {limit:g}")
        if distance <= limit and (warning := caution(limit, thresholds, reply.body.get("worst_false_match_rates", {}))):
            click.echo(warning)

    answer(reply, raw, show)
    sys.exit(0 if distance <= limit else NO)


def caution(limit: float, thresholds: dict[str, float], worst: dict[str, float]) -> str | None:
    """Return a warning if, in some group, strangers match far more often than the threshold's rate; None otherwise."""
    rate = min((rate for rate, distance in thresholds.items() if limit <= distance), key=float, default=None)
    if rate is None or worst.get(rate, 0) <= FAR_OFF * float(rate):
        return None
    return (
        f"In some groups of people, 1 in {1 / worst[rate]:,.0f} pairs of strangers is within the distance "
        f"{thresholds[rate]:g}."
    )


@command(main, "info")
@as_json
def info(connect: Callable[..., Api], raw: bool) -> None:
    """Show the model, its thresholds and the number of faces."""
    reply = connect().call("GET", "/info")
    model = reply.body["model"]

    def show() -> None:
        tables.show(("model", "faces"), [(model["title"], reply.body["faces"])])
        fields = ("fmr", "worst_false_match_rate", "distance", "true_match_rate", "data")
        tables.show(fields, ([threshold.get(field) for field in fields] for threshold in model["thresholds"]))
        for weakness in model["weaknesses"]:
            click.echo(tables.printable(weakness))

    answer(reply, raw, show)
