"""The commands that work on people."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import click

from . import tables
from .api import Api
from .group import Token, answer, as_json, command, in_face_set, main
from .lists import list_all

LIMIT = click.option(
    "--limit", type=click.IntRange(1), default=100, show_default=True, help="Maximum number, oldest first."
)


@main.group("people")
def people() -> None:
    """List, rename, merge and remove people: all faces with the same name."""


@command(people, "list")
@click.option("--name", help="Only names that contain this text, in any case, with or without accents.")
@LIMIT
@in_face_set
@as_json
def list_people(connect: Callable[..., Api], name: str | None, limit: int, face_set: str | None, raw: bool) -> None:
    """List people. With --json, print one line for each page of the service's reply."""
    list_all(connect(), "/people", "people", {"name": name, "face_set": face_set}, limit, raw, tables.people)


@command(people, "faces")
@click.argument("name")
@LIMIT
@in_face_set
@as_json
def list_faces(connect: Callable[..., Api], name: str, limit: int, face_set: str | None, raw: bool) -> None:
    """List the faces of the person called NAME."""
    list_all(connect(), f"{_address(name)}/faces", "faces", {"face_set": face_set}, limit, raw, tables.known)


@command(people, "rename")
@click.argument("name")
@click.argument("new_name")
@in_face_set
@as_json
def rename(connect: Callable[..., Api], name: str, new_name: str, face_set: str | None, raw: bool) -> None:
    """Rename all faces of the person called NAME. Another person's name is refused."""
    _rename(connect(), name, {"name": new_name, "face_set": face_set}, raw)


@command(people, "merge")
@click.argument("name")
@click.argument("other")
@in_face_set
@as_json
def merge(connect: Callable[..., Api], name: str, other: str, face_set: str | None, raw: bool) -> None:
    """Make the people called NAME and OTHER one person, called OTHER."""
    _rename(connect(), name, {"name": other, "merge": "true", "face_set": face_set}, raw)


@command(people, "cover")
@click.argument("name")
@click.argument("token", type=Token())
@in_face_set
@as_json
def cover(connect: Callable[..., Api], name: str, token: str, face_set: str | None, raw: bool) -> None:
    """Show the person called NAME by the face of a TOKEN."""
    reply = connect().call("PUT", _address(name), {"cover": token, "face_set": face_set})
    answer(reply, raw, lambda: click.echo(f"{tables.printable(reply.body['name'])} is shown by {token}"))


@command(people, "remove")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@in_face_set
@as_json
def remove(connect: Callable[..., Api], name: str, yes: bool, face_set: str | None, raw: bool) -> None:
    """Remove all faces of the person called NAME, with their embeddings and crops."""
    shown = tables.printable(name)
    if not yes:
        click.confirm(f"Remove all faces of {shown}?", abort=True, err=True)
    removed = _until_done(connect(), "DELETE", name, {"face_set": face_set}, "removed", raw)
    if not raw:
        click.echo(f"Removed {shown}; faces: {removed}")


def _rename(api: Api, name: str, arguments: dict[str, str | None], raw: bool) -> None:
    renamed = _until_done(api, "PUT", name, arguments, "renamed", raw)
    if not raw:
        click.echo(f"Renamed {tables.printable(name)} to {tables.printable(arguments['name'])}; faces: {renamed}")


def _until_done(api: Api, method: str, name: str, arguments: dict[str, Any], counted: str, raw: bool) -> int:
    """Repeat a request until the service has done it; return the number of faces."""
    faces = 0
    while True:
        reply = api.call(method, _address(name), arguments)
        faces += int(reply.body[counted])
        if raw:
            click.echo(reply.text)
        if reply.body["done"]:
            return faces


def _address(name: str) -> str:
    """Return a person's path. The service ignores the white space, which keeps names like `..` in the address."""
    return f"/people/{quote(f' {name}', safe='')}" if name.startswith(".") else f"/people/{quote(name, safe='')}"
