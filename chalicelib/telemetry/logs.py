"""Configures logging: on Lambda one JSON object per line on standard output, elsewhere text on standard error.

Errors of other packages may quote their input: a name, a token, a picture's bytes. So the log shows only their type,
number and traceback. The messages of this project's own errors quote no such data and are logged. Other packages log
from WARNING on, as the SDK logs the requests it sends at lower levels.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from types import TracebackType
from typing import Any

from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

SERVICE = "face-search"

# The messages of these packages' errors are logged. So are those of ImportError, which name only modules and files.
_OWN_PACKAGES = ("chalicelib", "infra", "models")

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def on_lambda() -> bool:
    return bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))


class TextFormatter(logging.Formatter):
    """Formats a record as a line of text, followed by the lines of its error."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(message)s")

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  # the base class's name
        return described(ei[1])


class JsonFormatter(LambdaPowertoolsFormatter):
    """Formats a record as a JSON object with the keys of the current invocation."""

    def __init__(self) -> None:
        super().__init__(
            service=SERVICE,
            location="%(name)s:%(lineno)d",
            utc=True,
            use_rfc3339=True,
            serialize_stacktrace=False,  # it would contain the error's message
        )

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  # the base class's name
        return described(ei[1])

    def serialize(self, log: Any) -> str:
        log.pop("exception_notes", None)
        return super().serialize(log)


class _StandardOutput(logging.Handler):
    """Writes to the current standard output, where the metrics are printed too."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(f"{self.format(record)}\n")  # in one call, so that threads do not mix their lines
            sys.stdout.flush()
        except Exception:  # noqa: BLE001  # a logging error must not fail the request
            self.handleError(record)


_json = JsonFormatter()


def configure() -> None:
    """Set up the root handler. On Lambda it replaces the runtime's handler, which would repeat every record."""
    root = logging.getLogger()
    if on_lambda():
        handler = _StandardOutput()
        handler.setFormatter(_json)
        root.handlers[:] = [handler]
        root.setLevel(logging.WARNING)
        # Applies until the settings are read.
        logging.getLogger("chalicelib").setLevel(logging.INFO)
    else:
        text = logging.StreamHandler()
        text.setFormatter(TextFormatter())
        logging.basicConfig(handlers=[text])


def begin_invocation(**keys: str | None) -> None:
    """Add `keys` to every record from now on, replacing the last invocation's. Invocations never overlap."""
    _json.clear_state()
    _json.append_keys(**keys)


def described(error: BaseException | None) -> str:
    """Return the tracebacks and types of an error and its causes, with the messages of this project's errors only."""
    parts: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        parts.insert(0, "".join(traceback.format_tb(error.__traceback__)) + _named(error))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\nwhich led to:\n".join(parts)


def _named(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if kind.__module__.partition(".")[0] in _OWN_PACKAGES or isinstance(error, ImportError):
        return f"{name}: {error}"
    number = error.args[0] if error.args else None
    return f"{name}: {number}" if isinstance(number, int) else name
