"""Outside Lambda the log is for people, and logged errors omit texts that come from outside."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from chalicelib.settings import SettingsError
from chalicelib.telemetry.logs import described


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error from cause
    return caught.value


def test_an_error_is_logged_with_its_type_and_place() -> None:
    lines = described(raised(ValueError("Ada"))).splitlines()

    assert lines[0].endswith(", in raised")
    assert "test_logs.py" in lines[0]
    assert lines[-1] == "builtins.ValueError"


@pytest.mark.parametrize(
    ("error", "last"),
    [
        (SettingsError("LOG_LEVEL must be one of"), "chalicelib.settings.SettingsError: LOG_LEVEL must be one of"),
        (ModuleNotFoundError("No module named 'x'"), "builtins.ModuleNotFoundError: No module named 'x'"),
        (FileNotFoundError(2, "No such file", "Ada"), "builtins.FileNotFoundError: 2"),
        (KeyError("Ada"), "builtins.KeyError"),
        (ValueError(), "builtins.ValueError"),
    ],
)
def test_the_logged_text_of_an_error(error: Exception, last: str) -> None:
    assert described(raised(error)).splitlines()[-1] == last


def test_the_errors_behind_an_error_come_first() -> None:
    error = raised(OSError(28, "Ada"), raised(ValueError("Ada"), raised(SettingsError("own"))))
    kinds = [line for line in described(error).splitlines() if not line.startswith(" ")]

    assert kinds == [
        "chalicelib.settings.SettingsError: own",
        "which led to:",
        "builtins.ValueError",
        "which led to:",
        "builtins.OSError: 28",
    ]


def test_suppressed_errors_are_omitted_and_cycles_end() -> None:
    suppressed, first, second = ValueError(), ValueError(), KeyError()
    suppressed.__context__ = OSError()
    suppressed.__suppress_context__ = True
    first.__context__, second.__context__ = second, first

    assert described(suppressed) == "builtins.ValueError"
    assert described(first) == "builtins.KeyError\nwhich led to:\nbuiltins.ValueError"


def test_on_a_laptop_log_lines_are_plain_text() -> None:
    program = """
import logging
from chalicelib.telemetry import logs
logs.configure()
log = logging.getLogger("chalicelib.anything")
log.warning("all %d connections are in use", 8)
try:
    raise ValueError("Ada")
except ValueError:
    log.exception("GET /info failed")
"""
    environment = {name: value for name, value in os.environ.items() if name != "AWS_LAMBDA_FUNCTION_NAME"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == ""
    assert done.stderr == (
        "WARNING all 8 connections are in use\n"
        "ERROR GET /info failed\n"
        '  File "<string>", line 8, in <module>\n'
        "builtins.ValueError\n"
    )
