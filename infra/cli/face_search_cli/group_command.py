"""The command that groups the faces of pictures by person."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from . import tables
from .api import Api, RefusedError
from .folder import pictures_in
from .group import NO, USAGE, as_json, command, end, main
from .progress import pictures_done

# The service's limit for one request.
MAX_FACES = 1_000


class PicturedFace(NamedTuple):
    """A picture file and the number of a face in it, the largest first, from 1; 0 if it is the file's only face."""

    file: str
    number: int


@command(main, "group")
@click.argument("pictures", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@as_json
def group(connect: Callable[..., Api], pictures: tuple[Path, ...], raw: bool) -> None:
    """Group the faces in PICTURES, files or folders, by person. Nothing is added to a face set.

    With --json, `pictures` is added to the service's JSON: the file and the number of each token's face.
    """
    api = connect()
    faces, left_out = _detected(api, list(_files(pictures)))
    if not faces:
        end(NO, "no face in the pictures")
    reply = api.call("POST", "/groups", {"face_tokens": list(faces)})
    if raw:
        shown = {token: {"file": face.file, "number": max(face.number, 1)} for token, face in faces.items()}
        click.echo(json.dumps({**reply.body, "pictures": shown}, ensure_ascii=False, separators=(",", ":")))
    else:
        _show(reply.body["groups"], reply.body["ungrouped"], faces)
    sys.exit(NO if left_out else 0)


def _files(given: Sequence[Path]) -> Iterator[tuple[Path, str]]:
    """Yield each picture file, those of a folder sorted by path, and why it cannot be sent, or ""."""
    for path in given:
        if path.is_dir():
            yield from ((picture.path, picture.fault) for picture in pictures_in(path))
        else:
            yield path, ""


def _detected(api: Api, files: Sequence[tuple[Path, str]]) -> tuple[dict[str, PicturedFace], int]:
    """Return the faces of all pictures by token, and the number of pictures left out; print why."""
    faces: dict[str, PicturedFace] = {}
    left_out = 0
    with pictures_done(len(files)) as advance:
        for path, fault in files:
            advance()
            try:
                if fault:
                    raise RefusedError("left out", fault)
                found = api.call("POST", "/detect", pictures={"image_file": path.read_bytes()}).body["faces"]
            except (RefusedError, OSError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                _note(path, str(reason))
                left_out += 1
                continue
            if not found:
                _note(path, "no face")
            several = len(found) > 1
            faces |= {
                face["face_token"]: PicturedFace(str(path), number if several else 0)
                for number, face in enumerate(found, start=1)
            }
            if len(faces) > MAX_FACES:
                end(USAGE, f"the pictures show more than {MAX_FACES:,} faces: give fewer pictures")
    return faces, left_out


def _note(path: Path, what: str) -> None:
    click.echo(tables.printable(f"{path}: {what}"), err=True)


def _show(groups: list[list[str]], ungrouped: list[str], faces: dict[str, PicturedFace]) -> None:
    named = [(str(number), token) for number, group in enumerate(groups, start=1) for token in group]
    named += [("", token) for token in ungrouped]
    tables.show(
        ("group", "picture", "#", "face_token"),
        [(number, faces[token].file, faces[token].number or "", token) for number, token in named],
    )
