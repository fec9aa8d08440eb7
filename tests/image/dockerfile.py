"""Reads the instructions of infra/image/Dockerfile."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path

from infra.image.__main__ import DOCKERFILE

# Settings with which a function starts and answers /health. Nothing listens there.
NO_STORES = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "CROPS_BUCKET": "none",
    "DATABASE_URL": "mysql://root@127.0.0.1:9/none",
    "TOKENS_TABLE": "none",
}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage: its base image, and its instructions in order, as keyword and text."""

    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def texts(self, keyword: str) -> list[str]:
        return [text for name, text in self.instructions if name == keyword]

    def words(self, keyword: str) -> list[str]:
        """Return the only instruction of a keyword, written as a JSON list."""
        [text] = self.texts(keyword)
        words: list[str] = json.loads(text)
        return words

    def environment(self) -> dict[str, str]:
        """Return the variables that ENV sets."""
        return dict(word.split("=", 1) for text in self.texts("ENV") for word in shlex.split(text))

    def copies(self) -> list[tuple[list[str], Path, Path]]:
        """Return each COPY: its options, its only source, as a path without the leading slash, and its destination."""
        found = []
        for text in self.texts("COPY"):
            *options, source, destination = text.split()
            found.append((options, Path(source.lstrip("/")), Path(destination)))
        return found


def stages(text: str | None = None) -> dict[str, Stage]:
    """Return the stages of a Dockerfile by name, in order."""
    text = DOCKERFILE.read_text("utf-8") if text is None else text
    lines = re.sub(r"\\\n", " ", "\n".join(line for line in text.splitlines() if not line.startswith("#")))
    found: dict[str, Stage] = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        keyword, _, rest = line.partition(" ")
        if keyword == "FROM":
            base, _, name = rest.partition(" AS ")
            found[name] = Stage(base)
        elif found:
            found[next(reversed(found))].instructions.append((keyword, rest.strip()))
    return found
