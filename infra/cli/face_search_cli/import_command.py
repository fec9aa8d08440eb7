"""The command that imports a folder of pictures."""

from __future__ import annotations

import csv
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import click

from . import tables
from .api import Api
from .faults import naming
from .folder import pictures_in
from .folder_import import SUCCESSES, FolderImport, Outcome
from .group import NO, USAGE, command, end, in_face_set, main
from .journal import Journal, JournalError
from .progress import pictures_done

INTERRUPTED = 130
# How many failed files the summary lists; the report has all.
MAX_LISTED = 20
# Spreadsheets read cells that begin with one of these as formulas.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


@command(main, "import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="one for each core")
@click.option("--refuse-poor", is_flag=True, help="Leave out faces that are hard to recognise.")
@click.option("--again", is_flag=True, help="Add faces again that were removed after an import.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the outcome of each file to a CSV file."
)
@click.option(
    "--journal", type=click.Path(dir_okay=False, path_type=Path), help="Journal file; by default FOLDER.import.jsonl."
)
@in_face_set
def import_folder(
    connect: Callable[..., Api],
    folder: Path,
    jobs: int,
    refuse_poor: bool,
    again: bool,
    report: Path | None,
    journal: Path | None,
    face_set: str | None,
) -> None:
    """Add the largest face of each picture in FOLDER: NAME/*.jpg, and NAME.jpg directly in it.

    After an interruption, run the same command to continue. The journal identifies imported pictures by their content.
    The service is asked whether their faces still exist.
    """
    folder = folder.absolute()
    journal = journal or folder.with_name(f"{folder.name}.import.jsonl")
    pictures = pictures_in(folder)
    api = connect(connections=jobs)
    # Fail once for a wrong key or an unknown face set, before any picture is sent.
    api.call("GET", "/faces", {"face_set": face_set, "limit": 1})
    counts: Counter[str] = Counter()
    not_added: list[Outcome] = []
    look_alikes: list[Outcome] = []
    started = time.monotonic()
    try:
        with (
            Journal(journal, f"{api.url} {face_set or 'default'}") as kept,
            _writing(report) as write,
            pictures_done(len(pictures)) as advance,
            ExitStack() as stack,
        ):
            importing = FolderImport(api, kept, face_set=face_set, refuse_poor=refuse_poor, again=again, jobs=jobs)
            # Closed before the journal, so that pictures in progress are still recorded.
            for outcome in stack.enter_context(closing(importing.run(pictures))):
                counts[outcome.what] += 1
                if outcome.what not in SUCCESSES:
                    not_added.append(outcome)
                elif outcome.detail:
                    look_alikes.append(outcome)
                write(outcome)
                advance()
    except JournalError as error:
        end(USAGE, str(error))
    except KeyboardInterrupt:
        end(INTERRUPTED, "interrupted: run the same command to continue")
    seconds = time.monotonic() - started
    tables.show(("files", "outcome"), [(count, what) for what, count in counts.most_common()])
    _show_some(not_added)
    _show_some(look_alikes)
    click.echo(f"{len(pictures)} files in {seconds:.1f} s, {len(pictures) / max(seconds, 1e-3):.0f} a second")
    sys.exit(NO if not_added else 0)


def _show_some(outcomes: list[Outcome]) -> None:
    if not outcomes:
        return
    shown = sorted(outcomes, key=lambda outcome: outcome.picture.path)[:MAX_LISTED]
    rows = [(outcome.picture.file, outcome.what, outcome.detail) for outcome in shown]
    tables.show(("file", "outcome", "reason"), rows)
    if len(outcomes) > MAX_LISTED:
        click.echo(f"and {len(outcomes) - MAX_LISTED} more; --report writes all to a file")


@contextmanager
def _writing(report: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """Yield a function that writes an outcome to the report, or does nothing when there is no report."""
    if report is None:
        yield lambda _: None
        return
    # A file name may have bytes that are valid in no encoding.
    with naming(report), report.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "outcome", "face_name", "face_token", "faces", "detail"))

        def write(outcome: Outcome) -> None:
            picture = outcome.picture
            row = (picture.file, outcome.what, picture.name, outcome.face_token, outcome.faces, outcome.detail)
            writer.writerow([_no_formula(cell) for cell in row])

        yield write


def _no_formula(cell: object) -> object:
    """Return a cell that no spreadsheet reads as a formula: with a single quote in front, as OWASP recommends."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
