"""Runs the command line: `python -m face_search_cli`, or `face-search` where it is installed."""

from . import commands, face_set_commands, import_command, people_commands  # noqa: F401  # each registers its commands
from .group import main

__all__ = ["main"]

if __name__ == "__main__":
    main(prog_name="face-search")
