"""Decodes hostile pictures: `python -m tests.harness.hostile.pictures --count 20000 --seed 1`."""

from __future__ import annotations

import argparse
import sys
import warnings
from pathlib import Path

from tests.harness.hostile.pictures.decoder import decoder
from tests.harness.hostile.pictures.giants import GIANTS
from tests.harness.hostile.pictures.judge import KINDS, case, judge_all

FOUND = Path("build/hostile")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="the same seed makes the same files")
    parser.add_argument("--from", type=int, default=0, dest="start", help="the number of the first file, to repeat one")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")  # from Pillow, about the files that it reads
    numbers = range(arguments.start, arguments.start + arguments.count)
    giants = ((f"giant-{number}", make()) for number, make in enumerate(GIANTS))
    cases = ((str(number), case(arguments.seed, number)) for number in numbers)
    with decoder() as process:
        tally = judge_all(cases, process)
        small_growth = process.growth_bytes()
        large = judge_all(giants, process)
        growth = process.growth_bytes()
    for kind in sorted(tally.taken.keys() | tally.refused.keys()):
        sys.stdout.write(f"{kind:36} taken {tally.taken[kind]:6,}  refused {tally.refused[kind]:6,}\n")
    taken, refused = tally.taken.total(), tally.refused.total()
    sys.stdout.write(f"{taken + refused:,} pictures of {len(KINDS)} kinds: {taken:,} taken, {refused:,} refused.\n")
    sys.stdout.write(f"{large.taken.total() + large.refused.total()} giants. ")
    sys.stdout.write(f"Growth: {small_growth / 1e6:.0f} MB, then {growth / 1e6:.0f} MB with the giants.\n")
    faults = [*tally.faults, *large.faults]
    FOUND.mkdir(parents=True, exist_ok=True)
    for place, fault, file in faults:
        path = FOUND / f"{arguments.seed}-{place}"
        path.write_bytes(file)
        sys.stdout.write(f"{path}: {fault}\n")
    sys.stdout.write(f"{len(faults)} faults.\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
