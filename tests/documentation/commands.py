"""The commands in the documentation, in reading order."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).parents[2]
# These have tests that follow them from beginning to end.
TUTORIALS = [*sorted((ROOT / "docs" / "tutorials").glob("*.md")), ROOT / "docs" / "examples" / "README.md"]
# Decisions are left out, because they describe the past.
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^(```+)")
# A code block by indentation, either plain or in a numbered list.
_INDENTED = re.compile(r"^(?: {4}| {7})(?=\S)")
_PROGRAM = r"make|curl|git|docker|python3?|pip|aws|face-search|mariadb(?:-dump)?|echo|cp|rm|\.venv/bin/\S+"
_COMMAND = re.compile(rf"^(?:\$ )?(?P<text>(?:[A-Z_]+=\S+ )*(?:{_PROGRAM})(?= |$).*)")
_COMMENT = re.compile(r"\s{2,}#.*$")
_MAKE_TARGET = re.compile(r"`make ((?:[A-Z_]+=\S+ )*)(?P<target>[a-z-]+)")


@dataclass(frozen=True, slots=True)
class Command:
    document: str
    line: int
    text: str
    shown: str = ""  # the output that the document shows right below

    def __str__(self) -> str:
        return f"{self.document}:{self.line}: {self.text}"


def commands(document: Path) -> list[Command]:
    """Return the commands of a document's code blocks, without prompts and comments, with split lines joined."""
    found: list[Command] = []
    fenced, joined, shows = False, "", False
    for number, line in enumerate(document.read_text("utf-8").splitlines(), 1):
        if _FENCE.match(line):
            fenced, shows = not fenced, False
            continue
        if not fenced and not _INDENTED.match(line):
            joined, shows = "", False
            continue
        text = joined + line.strip()
        if text.endswith("\\"):
            joined = text[:-1].rstrip() + " "
            continue
        joined = ""
        if command := _COMMAND.match(_COMMENT.sub("", text)):
            found.append(Command(document.relative_to(ROOT).as_posix(), number, command["text"].strip()))
            shows = True
        elif shows:
            found[-1] = replace(found[-1], shown=found[-1].shown + text)
    return found


def targets_in_prose(document: Path) -> set[str]:
    """Return the Makefile targets that a document names between backticks."""
    return {match["target"] for match in _MAKE_TARGET.finditer(document.read_text("utf-8"))}
