"""The threads of the local server share one heap, so freed memory is not kept once per thread."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Start four threads at once; each has its own heap unless they share one. Then allocate 16 MB for the second time,
# which glibc would by default take from the heap. malloc_info(3) reports both.
SCRIPT = """
import ctypes, re, sys, tempfile, threading
from infra.local.one_heap import share_one_heap
if sys.argv[1] == "shared":
    share_one_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
together = threading.Barrier(4)
def allocate():
    together.wait()
    libc.malloc(100_000)
    together.wait()
threads = [threading.Thread(target=allocate) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc.free(ctypes.c_void_p(libc.malloc(16 << 20)))
libc.malloc(16 << 20)
with tempfile.TemporaryFile() as file:
    stream = ctypes.c_void_p(libc.fdopen(file.fileno(), b"w+"))
    libc.malloc_info(0, stream)
    libc.fflush(stream)
    file.seek(0)
    told = file.read().decode()
mapped = re.search(r'type="mmap" count="\\d+" size="(\\d+)"', told)
print(told.count("<heap nr="), int(mapped[1]) >= 16 << 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives each thread its own heap")
def test_threads_share_a_heap_and_large_blocks_are_outside_it() -> None:
    heaps, large_is_outside = _allocations("own")
    assert (int(heaps) > 1, large_is_outside) == (True, "False")
    assert _allocations("shared") == ["1", "True"]


def _allocations(how: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", SCRIPT, how], cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.split()
