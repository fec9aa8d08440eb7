"""What is done to the face set beside requests: by scheduled functions, by a deployment, or by hand.

`python -m chalicelib.operations migrate|compact`, with the settings of the environment.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Callable

from chalicelib.errors import ServiceError
from chalicelib.gallery import snapshot
from chalicelib.settings import SettingsError
from chalicelib.stores import schema
from chalicelib.wiring import Wiring, wiring

# How often compaction is scheduled. A removed face is gone from the segments after that and one run.
COMPACTION_MINUTES = 5


def migrate(parts: Wiring) -> str:
    """Bring the database's schema to the newest version."""
    return f"the schema is at version {schema.migrate(parts.database)}"


def compact(parts: Wiring) -> str:
    """Pack the changed segments anew, from which new containers load, and prune the change log."""
    version = snapshot.compact(parts.face_set, parts.segments)
    return "another compaction is at work" if version is None else f"the segments show version {version}"


OPERATIONS: dict[str, Callable[[Wiring], str]] = {"migrate": migrate, "compact": compact}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m chalicelib.operations", description=__doc__)
    parser.add_argument("operation", choices=OPERATIONS)
    operation = OPERATIONS[parser.parse_args().operation]
    logging.basicConfig(format="%(levelname)s %(message)s")
    try:
        print(operation(wiring()))  # noqa: T201  # its output is what it is run for
    except (SettingsError, ServiceError) as error:
        parser.exit(1, f"{error}\n")


if __name__ == "__main__":
    main()
