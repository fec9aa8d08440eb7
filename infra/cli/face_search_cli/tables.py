"""Prints replies as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Outside a terminal, lines must not be wrapped.
WIDTH_ELSEWHERE = 200


def console(*, stderr: bool = False) -> Console:
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=WIDTH_ELSEWHERE)


def show(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(value)) for value in row))
    console().print(table)


def printable(value: object) -> str:
    """Return a value as text without control characters.

    A terminal would obey control characters, and names come from other people.
    """
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in str(value))


def detected(faces: list[dict[str, Any]]) -> None:
    show(
        ("#", "face_token", "box", "confidence", "quality"),
        (
            (
                number,
                face["face_token"],
                ", ".join(f"{edge:.0f}" for edge in (*face["top_left"], *face["bottom_right"])),
                f"{face['confidence']:.3f}",
                "; ".join(face["quality"]["reasons"]) or "good",
            )
            for number, face in enumerate(faces, start=1)
        ),
    )


def identified(faces: list[dict[str, Any]]) -> None:
    """Show each face's people, nearest first."""
    show(
        ("#", "face_token", "person", "distance"),
        (
            (number, face["face_token"], *_person(match))
            for number, face in enumerate(faces, start=1)
            for match in face["matches"] or [None]
        ),
    )


def _person(match: dict[str, Any] | None) -> tuple[str, str]:
    return ("no match", "") if match is None else (match["face_name"], f"{match['distance']:.3f}")


def found(matches: list[dict[str, Any]]) -> None:
    persons = any("faces" in match for match in matches)
    show(
        ("distance", "face_name", "face_token", *(("faces",) if persons else ())),
        (
            (
                f"{match['distance']:.3f}",
                match["face_name"],
                match["face_token"],
                *([match["faces"]] if persons else []),
            )
            for match in matches
        ),
    )


def known(faces: list[dict[str, Any]]) -> None:
    fields = ("face_token", "face_name", "face_set", "added_at")
    show(fields, ([face[field] for field in fields] for face in faces))


def people(people: list[dict[str, Any]]) -> None:
    fields = ("name", "faces", "cover", "first_added_at", "last_added_at")
    show(fields, ([person[field] for field in fields] for person in people))
