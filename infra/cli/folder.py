"""A folder of pictures of known people."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True, slots=True)
class NamedPicture:
    """`file` is relative to the folder; `name` is whom it shows."""

    file: str
    path: Path
    name: str


def pictures_in(folder: Path) -> list[NamedPicture]:
    """Return the pictures in `<name>/`, however deep, and those directly in the folder, `<name>.jpg`; in order.

    Names are composed (NFC) as keyboards type them: some systems hand them out decomposed. What is hidden is left out.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if path.suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in parts) and path.is_file():
            name = parts[0] if len(parts) > 1 else path.stem
            found.append(NamedPicture("/".join(parts), path, unicodedata.normalize("NFC", name)))
    return found
