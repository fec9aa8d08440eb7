"""Reads the deliberate faults in faults.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FAULTS = Path(__file__).with_name("faults.toml")


@dataclass(frozen=True, slots=True)
class Fault:
    """A mistake that a maintainer could make.

    Attributes
    ----------
    file : the file to change, relative to the checkout.
    find, replace : the text to change, which occurs once in the file, and the text to write in its place.
    breaks : one sentence that says what breaks for users.
    tests : the pytest ids or files that catch the fault.
    """

    id: str
    file: str
    find: str
    replace: str
    breaks: str
    tests: tuple[str, ...]

    def occurrences(self, checkout: Path) -> int:
        """Return how often the text to change occurs in the file of a checkout; 0 without the file."""
        path = checkout / self.file
        return path.read_text("utf-8").count(self.find) if path.is_file() else 0

    def apply(self, checkout: Path) -> None:
        """Change the file in a checkout."""
        path = checkout / self.file
        text = path.read_text("utf-8")
        assert text.count(self.find) == 1
        path.write_text(text.replace(self.find, self.replace), "utf-8")


def read() -> list[Fault]:
    """Return all faults, in the order of the file."""
    tables = tomllib.loads(FAULTS.read_text("utf-8"))["fault"]
    return [Fault(**{**table, "tests": tuple(table["tests"])}) for table in tables]
