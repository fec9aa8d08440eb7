"""Shows how many pictures are done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from . import tables


@contextmanager
def pictures_done(total: int) -> Iterator[Callable[[], None]]:
    """Yield a function that advances a progress bar by one file. The bar appears only on a terminal."""
    console = tables.console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("pictures", total=total)
        yield lambda: bar.advance(task)
