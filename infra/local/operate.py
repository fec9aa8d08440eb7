"""Runs `make reconcile` and `make rebuild-index` on the local stack's face set, crops and vector index.

Works while the stack runs; starts a stack if none is running.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from chalicelib.errors import ServiceError
from chalicelib.maintenance import operations
from chalicelib.settings import SettingsError
from chalicelib.wiring import Wiring
from infra.local import __main__


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.local.operate", description=__doc__)
    parser.add_argument("operation", choices=("reconcile", "rebuild-index"))
    parser.add_argument("--state", type=Path, default=Path(".local"), help="folder for the stack's data")
    parser.add_argument("--however-many", action="store_true", help="delete crops even if there are suspiciously many")
    arguments = parser.parse_args()
    os.chdir(__main__.ROOT)
    try:
        with __main__.stack_of(arguments.state) as settings:
            parts = Wiring(settings)
            if arguments.operation == "reconcile":
                print(operations.reconcile(parts, however_many=arguments.however_many))
            else:
                print(operations.rebuild_index(parts, progress=print))
            parts.close()
    except ServiceError:
        sys.exit("A store failed; see the line above.")
    except SettingsError as error:
        sys.exit(f"{error}.")


if __name__ == "__main__":
    main()
