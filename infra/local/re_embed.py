"""`make re-embed PACK=name`: brings the face set of the local stack under another model pack.

Works beside a running stack, whose server goes on answering under the old pack until the switch; starts one where none
runs. May be interrupted: the next run goes on.
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
        sys.exit("\nInterrupted: `make re-embed` with the same PACK= goes on from here.")
    except ServiceError:
        sys.exit("A store failed, as the line above tells: `make re-embed` with the same PACK= goes on from here.")
    except (SettingsError, ModelPackError, build.BuildError, sources.SourceError) as error:
        sys.exit(f"{error}.")
    _tell(report)
    if not report.switched:
        sys.exit(
            f"The face set is still under its old model, for {len(report.lost)} faces would be lost: remove them, or "
            "run this again with LEAVE_BEHIND=yes."
        )
    print(f"The face set is under the model pack {folder.name}.")
    if model_dir.is_symlink():
        print(build.use(folder))
    else:
        print(f"Set MODEL_DIR={folder}.")


def _tell(report: Report) -> None:
    print(f"{report.done:,} faces were embedded anew.")
    for tokens, what in (
        (report.not_found_again, "were not found again by the new detector, so their old landmarks served"),
        (report.lost, "could not be embedded, for their crops are missing or broken"),
    ):
        if tokens:
            print(f"{len(tokens):,} {what}:", *tokens, sep="\n  ")


def _print(line: str) -> None:
    print(line, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.re_embed", description=__doc__)
    parser.add_argument("pack", help="a card's name or path")
    parser.add_argument(
        "--from", dest="files", type=Path, nargs="+", default=[], help="local files to take for published ones"
    )
    parser.add_argument("--state", type=Path, default=Path(".local"), help="folder of what the stack keeps")
    parser.add_argument("--leave-behind", action="store_true", help="switch although some faces cannot be embedded")
    return parser.parse_args()


if __name__ == "__main__":
    main()
