"""Sends to the log what native code writes to standard error."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

_STANDARD_ERROR = 2

_log = logging.getLogger(__name__)
# Two redirections at once would restore each other's.
_lock = threading.Lock()


@contextmanager
def native_errors_logged() -> Iterator[None]:
    """Log each line that anything in the process writes to standard error during the block, at level DEBUG.

    If the block raises an error, the lines are logged as warnings, as they may give the reason.
    """
    with _lock, TemporaryFile() as written:
        kept = os.dup(_STANDARD_ERROR)
        os.dup2(written.fileno(), _STANDARD_ERROR)
        level = logging.WARNING
        try:
            yield
            level = logging.DEBUG
        finally:
            os.dup2(kept, _STANDARD_ERROR)
            os.close(kept)
            written.seek(0)
            for line in written.read().decode(errors="replace").splitlines():
                _log.log(level, "native code: %s", line)
