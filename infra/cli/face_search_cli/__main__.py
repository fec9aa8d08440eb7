"""Runs the command line: `python -m face_search_cli`, or `face-search` where it is installed."""

from . import (  # noqa: F401  # each registers its commands
    commands,
    face_set_commands,
    group_command,
    import_command,
    people_commands,
)
from .group import main

__all__ = ["main"]

if __name__ == "__main__":
    main(prog_name="face-search")
