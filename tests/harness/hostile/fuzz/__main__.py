"""Fuzzes one target, guided by coverage: `python -m tests.harness.hostile.fuzz picture --runs 100000 --seed 1`.

Inputs are stored in build/fuzz/<target>, and the next run starts with them. Atheris ends the process.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["chalicelib", "multipart"]):
    from chalicelib.api import arguments  # noqa: F401  # first imported here, so that it is instrumented
    from chalicelib.images import decoding  # noqa: F401

from tests.harness.hostile.fuzz.targets import TARGETS

MAX_INPUT_BYTES = 32 * 1024
# libFuzzer's limits: an input that exceeds this time or memory is a finding.
HANG_SECONDS = 60
MAX_MEMORY_MB = 2_048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--runs", type=int, default=-1, help="inputs to try")
    parser.add_argument("--seconds", type=int, default=0, help="when to stop")
    parser.add_argument("--seed", type=int, default=1, help="the same seed tries the same inputs")
    parser.add_argument("--into", type=Path, default=Path("build/fuzz"), help="the folder of inputs and findings")
    arguments = parser.parse_args()
    function, seeds = TARGETS[arguments.target]
    corpus = arguments.into / arguments.target
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds():
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    options = [
        f"-runs={arguments.runs}",
        f"-max_total_time={arguments.seconds}",
        f"-seed={arguments.seed}",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-timeout={HANG_SECONDS}",
        f"-rss_limit_mb={MAX_MEMORY_MB}",
        f"-artifact_prefix={arguments.into}/{arguments.target}-",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], function)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
