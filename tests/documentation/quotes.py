"""Copies measured figures from their pages to the pages that quote them.

A quotation stands between `<!--q:name-->` and `<!--q-->`. `python -m tests.documentation.quotes --write`
brings all quotations up to date.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.documentation.commands import ROOT

QUOTING = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

QUOTATION = re.compile(r"(?P<begin><!--q:(?P<name>[a-z0-9-]+)-->)(?P<text>.*?)(?P<end><!--q-->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure, the first group of the first pattern that its page contains; rounded unless `decimals` is None."""

    page: str
    patterns: tuple[str, ...]
    decimals: int | None = None

    def read(self) -> str:
        page = (ROOT / self.page).read_text("utf-8")
        for pattern in self.patterns:
            if match := re.search(pattern, page, re.MULTILINE):
                text = match[1]
                return text if self.decimals is None else f"{float(text.replace(',', '')):,.{self.decimals}f}"
        raise LookupError(f"{self.page} has no {self.patterns[0]}")


# A pack's row in the table of other packs: LFW's true matches at FMR 1e-3 and 1e-4.
_LFW = r"^\| {} \| [^|]+ \| [\d.]+ / ([\d.]+ / [\d.]+) % \|"

FIGURES = {
    "search-10m": Figure("docs/benchmarks.md", (r"^\| 10,000,000 \| ([\d.]+) \|",), 0),
    # The section that `make bench` writes on this processor; until there is one, the table of the shorter run.
    "detect-ratio": Figure(
        "docs/benchmarks.md",
        (
            r"begin peers, AMD EPYC(?s:.*?)\| detect, 1280 x 720, facenet-pytorch / ours \| [^|]+ \| \**([\d.]+)",
            r"^\| detect, 1280 x 720 \| [^|]+ \| ([\d.]+)",
        ),
        1,
    ),
    "true-matches": Figure("docs/accuracy.md", (r"^\| true matches at FMR 1e-3 \|.*\| ([\d.]+) % \([^|]+\|$",), 1),
    "east-asia-false": Figure("docs/accuracy.md", (r"^\| 0\.650, FMR 1e-3 \|(?:[^|]+\|){2} ([\d.]+) % false",), 1),
    "false-matches-by-set": Figure("docs/accuracy.md", (r"^(\n\| threshold \| people (?:.+\n)+)",)),
    "lfw-retail-0095": Figure("docs/accuracy.md", (_LFW.format("retail-0095"),)),
    "lfw-mobilefacenet": Figure("docs/accuracy.md", (_LFW.format("mobilefacenet"),)),
    "lfw-dlib": Figure("docs/accuracy.md", (_LFW.format("dlib"),)),
    "dlib-east-asia-false": Figure("docs/accuracy.md", (r"^\| dlib \|.*\| ([\d.]+) % \|$",), 0),
    "break-even": Figure("docs/costs.md", (r"^\| `dev`: .*\| ([\d,]+) \|$",)),
    "cost-idle": Figure("docs/costs.md", (r"^\| \*\*Together\*\* \| \*\*([\d.]+)",), 0),
    "cost-million": Figure("docs/costs.md", (r"^\| \*\*Together\*\* \|.*\| \*\*([\d.]+)\*\* \|$",), 0),
    "rekognition-million": Figure("docs/costs.md", (r"^\| Rekognition \|.*\| ([\d,.]+) \|$",), 0),
    "database-idle": Figure("docs/costs.md", (r"^\| Database: [^|]+\| ([\d.]+)",), 0),
    "answers-checked": Figure("docs/reliability.md", (r"requests, ([\d,]+) answers checked",)),
}


def quoted(text: str) -> str:
    """Return a page's text with the present figures between its markers."""
    return QUOTATION.sub(lambda match: match["begin"] + FIGURES[match["name"]].read() + match["end"], text)


def pages_to_change() -> dict[Path, str]:
    """Return the new text of each page with an old quotation."""
    texts = {page: page.read_text("utf-8") for page in QUOTING}
    return {page: new for page, text in texts.items() if (new := quoted(text)) != text}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the pages; otherwise only list those to change")
    write = parser.parse_args().write
    changes = pages_to_change()
    for page, text in changes.items():
        sys.stdout.write(f"{page.relative_to(ROOT)}\n")
        if write:
            page.write_text(text, "utf-8")
    return 1 if changes and not write else 0


if __name__ == "__main__":
    sys.exit(main())
