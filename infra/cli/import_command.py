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
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from . import tables
from .api import Api
from .folder import pictures_in
from .folder_import import SUCCESSES, FolderImport, Outcome
from .group import NO, USAGE, command, end, in_face_set, main
from .journal import Journal, JournalError

INTERRUPTED = 130


@command(main, "import")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--jobs", type=click.IntRange(1, 64), default=os.cpu_count() or 1, show_default="one for each core")
@click.option("--refuse-poor", is_flag=True, help="Leave out faces that are hard to recognise.")
@click.option(
    "--report", type=click.Path(dir_okay=False, path_type=Path), help="Write what became of each file as CSV."
)
@click.option("--journal", type=click.Path(dir_okay=False, path_type=Path), help="By default FOLDER.import.jsonl.")
@in_face_set
def import_folder(
    connect: Callable[..., Api],
    folder: Path,
    jobs: int,
    refuse_poor: bool,
    report: Path | None,
    journal: Path | None,
    face_set: str | None,
) -> None:
    """Add the largest face of every picture in FOLDER: NAME/*.jpg, and NAME.jpg directly in it.

    May be interrupted: run again, it goes on. A picture that was imported is known by its content, from the journal.
    """
    folder = folder.absolute()
    journal = journal or folder.with_name(f"{folder.name}.import.jsonl")
    pictures = pictures_in(folder)
    api = connect(connections=jobs)
    counts: Counter[str] = Counter()
    started = time.monotonic()
    try:
        with (
            Journal(journal, f"{api.url} {face_set or 'default'}") as kept,
            _writing(report) as write,
            _progress(len(pictures)) as advance,
            ExitStack() as stack,
        ):
            importing = FolderImport(api, kept, face_set=face_set, refuse_poor=refuse_poor, jobs=jobs)
            # Closed before the journal is: what is under way is still noted.
            for outcome in stack.enter_context(closing(importing.run(pictures))):
                counts[outcome.what] += 1
                write(outcome)
                advance()
    except JournalError as error:
        end(USAGE, str(error))
    except KeyboardInterrupt:
        end(INTERRUPTED, "interrupted: the same command goes on from here")
    seconds = time.monotonic() - started
    tables.show(("files", "what became of them"), [(count, what) for what, count in counts.most_common()])
    click.echo(f"{len(pictures)} files in {seconds:.1f} s, {len(pictures) / max(seconds, 1e-3):.0f} a second")
    sys.exit(0 if all(what in SUCCESSES for what in counts) else NO)


@contextmanager
def _writing(report: Path | None) -> Iterator[Callable[[Outcome], None]]:
    """Yield what writes an outcome to the report, if there is to be one."""
    if report is None:
        yield lambda _: None
        return
    # A file's name may be in no encoding.
    with report.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "outcome", "face_name", "face_token", "faces", "detail"))

        def write(outcome: Outcome) -> None:
            named = outcome.picture.file, outcome.what, outcome.picture.name
            writer.writerow((*named, outcome.face_token, outcome.faces, outcome.detail))

        yield write


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], None]]:
    """Yield what tells a bar that one more file is done; there is a bar on a terminal only."""
    console = tables.console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("pictures", total=total)
        yield lambda: bar.advance(task)
