"""Runs one contender in its own process, on one thread and one core.

`python -m tests.harness.benchmarks.peers.worker NAME`.

Reads requests from standard input, one line of JSON each, `{"action": "detect" | "embed", "picture": FILE.npy}`, and
answers each with one line: `boxes` of the detection; `cold` and `warm`, the seconds of wall and of CPU time of this
call and of a second one at once, [wall, CPU]; `peak_mb` of the process. `"once": true` leaves out the second call.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from pathlib import Path
from typing import Any

# Set before importing libraries that read these variables.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"
os.environ |= {"CUDA_VISIBLE_DEVICES": "", "TF_CPP_MIN_LOG_LEVEL": "3"}


def main(name: str) -> None:
    import cv2
    import numpy as np

    from tests.harness.benchmarks.peers.contenders import CONTENDERS

    cv2.setNumThreads(1)
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    answers, sys.stdout = sys.stdout, sys.stderr  # keep the packages' prints out of the answers
    contender = CONTENDERS[name].make()
    print("{}", file=answers, flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        picture = np.load(request["picture"])
        action = contender.detect if request["action"] == "detect" else contender.embed
        assert action is not None
        answer: dict[str, Any] = {}
        for call in ("cold",) if request.get("once") else ("cold", "warm"):
            wall, cpu = time.perf_counter(), time.process_time()
            found = action(picture)
            answer[call] = [time.perf_counter() - wall, time.process_time() - cpu]
        answer["peak_mb"] = _peak_mb()
        if request["action"] == "detect":
            answer["boxes"] = found
        print(json.dumps(answer), file=answers, flush=True)


def _peak_mb() -> float:
    """Return the peak memory in MB. getrusage does not fit: its peak includes the parent process's memory."""
    match = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match.group(1)) / 1024


if __name__ == "__main__":
    main(sys.argv[1])
