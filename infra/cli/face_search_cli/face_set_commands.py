"""The commands that work on face sets."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import click

from . import tables
from .api import Api
from .group import answer, as_json, command, main


@main.group("face-sets")
def face_sets() -> None:
    """List, create and delete face sets."""


@command(face_sets, "list")
@as_json
def list_sets(connect: Callable[..., Api], raw: bool) -> None:
    """List the face sets and their numbers of faces."""
    reply = connect().call("GET", "/face_sets")
    rows = [(face_set["face_set"], face_set["faces"]) for face_set in reply.body["face_sets"]]
    answer(reply, raw, lambda: tables.show(("face_set", "faces"), rows))


@command(face_sets, "create")
@click.argument("name")
@as_json
def create_set(connect: Callable[..., Api], name: str, raw: bool) -> None:
    """Create a face set. An existing face set is left unchanged."""
    reply = connect().call("POST", "/face_sets", {"face_set": name})
    answer(reply, raw, lambda: click.echo(f"Created {name}" if reply.body["created"] else f"{name} already exists"))


@command(face_sets, "delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@as_json
def delete_set(connect: Callable[..., Api], name: str, yes: bool, raw: bool) -> None:
    """Delete a face set with all its faces."""
    if not yes:
        click.confirm(f"Delete the face set {name} with all its faces?", abort=True, err=True)
    api, removed = connect(), 0
    while True:
        reply = api.call("DELETE", f"/face_sets/{quote(name, safe='')}")
        removed += reply.body["removed"]
        if raw:
            click.echo(reply.text)
        if reply.body["done"]:
            break
    if not raw:
        click.echo(f"Deleted {name}; faces removed: {removed}")
