"""What native code writes to standard error goes to the log."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from chalicelib.vision.native_errors import native_errors_logged

# Load a network where the folder of processors is missing, with an ONNX Runtime that writes what the real one writes.
LOADING = """
import logging, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from chalicelib.vision import model_pack
logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format="%(levelname)s %(message)s")
model_pack.PROCESSORS = Path(sys.argv[2])
model_pack._on_onnxruntime(Path("model.onnx"))
"""
NATIVE = """
import os
os.write(2, b"Error in cpuinfo: no processors\\n")
class SessionOptions: ...
class InferenceSession:
    def __init__(self, *_, **__): ...
    def get_inputs(self): return [self]
    name, shape = "input", [1]
"""


def written(capfd: pytest.CaptureFixture[str]) -> str:
    return capfd.readouterr().err


def test_lines_are_logged_and_not_written(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "chalicelib.vision.native_errors"), native_errors_logged():
        os.write(2, b"one\ntwo\xff\n")
    os.write(2, b"after\n")

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("DEBUG", "native code: one"),
        ("DEBUG", "native code: two\ufffd"),
    ]
    assert written(capfd) == "after\n"


def test_lines_before_an_error_are_warnings(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def load() -> None:
        with native_errors_logged():
            os.write(2, b"no such library\n")
            raise ImportError

    with caplog.at_level(logging.WARNING), pytest.raises(ImportError):
        load()

    assert caplog.messages == ["native code: no such library"]
    os.write(2, b"after\n")
    assert written(capfd) == "after\n"


def test_many_threads_leave_standard_error_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    def redirect(_: int) -> None:
        with native_errors_logged():
            os.write(2, b"inside\n")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(redirect, range(50)))
    os.write(2, b"after\n")

    assert written(capfd) == "after\n"


@pytest.mark.parametrize("hidden", [True, False])
def test_the_import_of_onnx_runtime_is_covered_where_the_processors_are_hidden(
    tmp_path_factory: pytest.TempPathFactory, hidden: bool
) -> None:
    folder = tmp_path_factory.mktemp("native")
    (folder / "onnxruntime.py").write_text(NATIVE)
    processors = folder / "absent" if hidden else folder

    command = [sys.executable, "-c", LOADING, str(folder), str(processors)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    line = "Error in cpuinfo: no processors\n"
    assert (done.stdout, done.stderr) == ((f"DEBUG native code: {line}", "") if hidden else ("", line))
