"""Runs `make re-embed PACK=name`: moves the local stack's face set to another model pack.

Works while the stack runs: its server answers with the old pack until the switch. Starts a stack if none is running.
After an interruption, the next run continues.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from chalicelib.errors import ServiceError
from chalicelib.maintenance import operations
from chalicelib.maintenance.re_embedding import Report
from chalicelib.settings import Settings, SettingsError
from chalicelib.vision.model_pack import ModelPack, ModelPackError
from chalicelib.wiring import Wiring
from infra.local import __main__
from models import build, sources


def main() -> None:
    arguments = _arguments()
    os.chdir(__main__.ROOT)
    try:
        model_dir = Path(Settings.from_environment(os.environ).model_dir)
        folder = build.build(build.card_path(arguments.pack), model_dir.absolute().parent, arguments.files)
        with __main__.stack_of(arguments.state) as settings:
            parts = Wiring(settings)
            report = operations.re_embed(parts, ModelPack(folder), leave_behind=arguments.leave_behind, progress=_print)
            parts.close()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted: run `make re-embed` with the same PACK= to continue.")
    except ServiceError:
        sys.exit("A store failed; see the line above. Run `make re-embed` with the same PACK= to continue.")
    except (SettingsError, ModelPackError, build.BuildError, sources.SourceError) as error:
        sys.exit(f"{error}.")
    _show(report)
    if not report.switched:
        sys.exit(
            f"The face set still uses its old model, because {len(report.lost)} faces would be lost: remove them, or "
            "run this again with LEAVE_BEHIND=yes."
        )
    print(f"The face set now uses the model pack {folder.name}.")
    if model_dir.is_symlink():
        print(build.use(folder))
    else:
        print(f"Set MODEL_DIR={folder}.")


def _show(report: Report) -> None:
    print(f"{report.done:,} faces were re-embedded.")
    for tokens, what in (
        (report.not_found_again, "were not found by the new detector, so their old landmarks were used"),
        (report.lost, "could not be embedded, because their crops are missing or broken"),
    ):
        if tokens:
            print(f"{len(tokens):,} {what}:", *tokens, sep="\n  ")


def _print(line: str) -> None:
    print(line, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.re_embed", description=__doc__)
    parser.add_argument("pack", help="name or path of a card")
    parser.add_argument(
        "--from", dest="files", type=Path, nargs="+", default=[], help="local files to use instead of published ones"
    )
    parser.add_argument("--state", type=Path, default=Path(".local"), help="folder for the stack's data")
    parser.add_argument("--leave-behind", action="store_true", help="switch even if some faces cannot be embedded")
    return parser.parse_args()


if __name__ == "__main__":
    main()
