"""Leads a program to the local stack: to the one that runs, or to one that it starts for the time."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chalicelib.settings import Settings
from infra import local, running_stack


@contextmanager
def reached_stack(state: Path) -> Iterator[Settings]:
    """Lead the environment to the stack that runs on the folder, or to one that runs for as long as the block."""
    running = running_stack.find(state)
    if running is None:
        print(f"No local stack runs on {state}: one is started for the time.", flush=True)
        with local.stack(state, 0) as settings:
            yield settings
        return
    local.lead_environment(state, running.endpoint)
    settings = Settings.from_environment(os.environ)
    if local.without_password(settings.database_url) != running.database:
        sys.exit(f"The running stack's face set is {running.database}: run this with the same DATABASE_URL.")
    yield settings
