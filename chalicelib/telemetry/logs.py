"""The log: on Lambda one JSON object a line on standard output, elsewhere lines for a person on standard error.

An error of somebody else's code may quote what it was given: a name, a token, a picture's bytes. Of such an error the
log tells the type, the number and where it arose; only this project's own errors, which quote nothing of the kind, are
told in their words. Other packages are heard from WARNING on, for below it the SDK logs the requests it sends.
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

# Whose errors are told in their words. An ImportError names modules and files.
_OWN_PACKAGES = ("chalicelib", "infra", "models")

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


def on_lambda() -> bool:
    return bool(os.environ.get("AWS_LAMBDA_FUNCTION_NAME"))


class TextFormatter(logging.Formatter):
    """A record as a line, and the lines of its error."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(message)s")

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  # the base class's name
        return described(ei[1])


class JsonFormatter(LambdaPowertoolsFormatter):
    """A record as a JSON object, with the keys of the invocation that is going on."""

    def __init__(self) -> None:
        super().__init__(
            service=SERVICE,
            location="%(name)s:%(lineno)d",
            utc=True,
            use_rfc3339=True,
            serialize_stacktrace=False,  # it holds the error's message
        )

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802  # the base class's name
        return described(ei[1])

    def serialize(self, log: Any) -> str:
        log.pop("exception_notes", None)
        return super().serialize(log)


class _StandardOutput(logging.Handler):
    """What standard output is at the moment, where the metrics are printed too."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stdout.write(f"{self.format(record)}\n")  # at once, so that threads do not mix their lines
            sys.stdout.flush()
        except Exception:  # noqa: BLE001  # what cannot be logged must not fail the request
            self.handleError(record)


_json = JsonFormatter()


def configure() -> None:
    """Lead all loggers of the process to the log; on Lambda instead of the runtime's handler, which would repeat it."""
    root = logging.getLogger()
    if on_lambda():
        handler = _StandardOutput()
        handler.setFormatter(_json)
        root.handlers[:] = [handler]
        root.setLevel(logging.WARNING)
        # Until the settings are read.
        logging.getLogger("chalicelib").setLevel(logging.INFO)
    else:
        text = logging.StreamHandler()
        text.setFormatter(TextFormatter())
        logging.basicConfig(handlers=[text])


def begin_invocation(**keys: str | None) -> None:
    """Put these into every record from now on, in the place of the last invocation's; a container has one at a time."""
    _json.clear_state()
    _json.append_keys(**keys)


def described(error: BaseException | None) -> str:
    """Return where an error and those behind it arose, and what they are, without what others say in them."""
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
