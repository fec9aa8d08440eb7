"""Runs `make export FILE=faces.zip` and `make import FILE=faces.zip` on the local stack's face set.

Both work while the stack runs, and start one if none is running. After an interruption, the same command continues.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from chalicelib.errors import ServiceError
from chalicelib.maintenance.transfer import commands, exporting, manifest
from chalicelib.maintenance.transfer.errors import ArchiveError
from chalicelib.settings import SettingsError
from chalicelib.vision.model_pack import ModelPackError
from chalicelib.wiring import Wiring
from infra.local import __main__, archive_file

MAX_NAMED = 20


def main() -> None:
    arguments = _arguments()
    file: Path = arguments.file.absolute()
    os.chdir(__main__.ROOT)
    try:
        with __main__.stack_of(arguments.state) as settings:
            parts = Wiring(settings)
            (_export if arguments.what == "export" else _import)(parts, file)
            parts.close()
    except KeyboardInterrupt:
        sys.exit(f"\nInterrupted: run the same `make {arguments.what}` to continue.")
    except ServiceError as error:
        if error.refused:
            sys.exit(f"{error.detail}.")
        sys.exit(f"A store failed; see the line above. Run the same `make {arguments.what}` to continue.")
    except OSError as error:
        file = error.filename2 or error.filename
        sys.exit(f"{file} cannot be written or read: {error.strerror}." if file else f"System error: {error}.")
    except (ArchiveError, SettingsError, ModelPackError) as error:
        sys.exit(f"{error}.")


def _export(parts: Wiring, file: Path) -> None:
    if file.is_dir():
        raise ArchiveError(f"{file} is a folder: name the file to write")
    folder = archive_file.Folder(file.with_name(f"{file.name}.parts"))
    started = time.monotonic()
    try:
        with _progress("exported") as progress:
            report = commands.export_to(parts, folder, progress=progress)
        whole = manifest.read(folder)
        assert whole is not None
        for part in whole.parts:  # a part from an earlier run may have been changed since
            manifest.read_part(folder, part)
    except ArchiveError as error:
        raise ArchiveError(f"{error}. Delete {folder.path} and export again") from None
    archive_file.pack(folder.path, [manifest.MANIFEST, *(part.file for part in whole.parts)], file)
    shutil.rmtree(folder.path)
    size, seconds = file.stat().st_size / 1e6, time.monotonic() - started
    print(f"Exported {report.faces:,} faces to {file}: {size:,.1f} MB in {seconds:.1f} s.")
    _show_left_out(report)


def _show_left_out(report: exporting.Report) -> None:
    if not report.left_out:
        return
    print(f"Left out {len(report.left_out):,} faces, which have no usable crop (missing or broken) or no embedding:")
    print(*report.left_out[:MAX_NAMED], sep="\n")
    if len(report.left_out) > MAX_NAMED:
        print("...")
    sys.exit(1)


def _import(parts: Wiring, file: Path) -> None:
    archive, started = archive_file.open_archive(file), time.monotonic()
    with _progress("checked, then imported") as progress:
        report = commands.import_from(parts, archive, progress=progress)
    seconds = time.monotonic() - started
    print(f"Added {report.added:,} faces; left {report.there:,} existing faces unchanged; {seconds:.1f} s.")


@contextmanager
def _progress(done_is: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes the numbers of done and of all faces, and shows them as a bar on a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"faces {done_is}", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.local.transfer", description=__doc__)
    parser.add_argument("what", choices=("export", "import"))
    parser.add_argument("file", type=Path, help="path of the archive")
    parser.add_argument("--state", type=Path, default=Path(".local"), help="folder for the stack's data")
    return parser.parse_args()


if __name__ == "__main__":
    main()
