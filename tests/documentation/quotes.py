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
    """A figure, the first group of the first pattern that its page contains; rounded unless `decimals` is None.

    `factor` is 100 for a page that has rates instead of per cent.
    """

    page: str
    patterns: tuple[str, ...]
    decimals: int | None = None
    factor: int = 1

    def read(self) -> str:
        page = (ROOT / self.page).read_text("utf-8")
        for pattern in self.patterns:
            if match := re.search(pattern, page, re.MULTILINE):
                text = match[1]
                if self.decimals is None:
                    return text
                return f"{float(text.replace(',', '')) * self.factor:,.{self.decimals}f}"
        raise LookupError(f"{self.page} has no {self.patterns[0]}")


# A pack's row in the table of other packs: LFW's true matches at FMR 1e-3 and 1e-4.
_LFW = r"^\| {} \| [^|]+ \| [\d.]+ / ([\d.]+ / [\d.]+) % \|"

# A card's true matches on LFW at a false match rate.
_CARD = r"^fmr = {}\n.*\ndata = .LFW.*\ntrue_match_rate = ([\d.]+)"
# The last cell of a row of the detectors: faces found in the hard crowds, and other boxes.
_FOUND, _OTHER = r"^\| {} \| \d+, .*\| ([\d,]+), [a-z ]*\d+ \|$", r"^\| {} \| \d+, .*\| [\d,]+, [a-z ]*(\d+) \|$"
_YUNET_ONET = "docs/decisions/0142-yunet-proposes-onet-decides.md"

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
    "lfw-dlib-yunet-1e-3": Figure("models/cards/dlib-yunet.toml", (_CARD.format("1e-3"),), 1, 100),
    "lfw-dlib-yunet-1e-4": Figure("models/cards/dlib-yunet.toml", (_CARD.format("1e-4"),), 1, 100),
    "lfw-sface": Figure("models/cards/sface.toml", (r"^text = .*accuracy is known: ([\d.]+) % on LFW",)),
    "lfw-facenet": Figure("models/cards/facenet.toml", (r"^text = .*crops: ([\d.]+) % on LFW",)),
    "asia-facenet": Figure("models/cards/facenet.toml", (r"^text = .*Asia: ([\d.]+) % of true matches at FMR 1e-3",)),
    "hard-faces": Figure("docs/benchmarks.md", (r"hard crowds, (\d+) faces",), 0),
    "hard-found": Figure(_YUNET_ONET, (_FOUND.format("YuNet with O-Net, 16 px"),), 0),
    "hard-other": Figure(_YUNET_ONET, (_OTHER.format("YuNet with O-Net, 16 px"),), 0),
    "hard-found-facenet": Figure("docs/benchmarks.md", (_FOUND.format("facenet-pytorch"),), 0),
    "hard-other-facenet": Figure("docs/benchmarks.md", (_OTHER.format("facenet-pytorch"),), 0),
    "hard-found-strict": Figure("docs/benchmarks.md", (_FOUND.format("facenet-pytorch, last threshold 0.9"),), 0),
    "hard-other-strict": Figure("docs/benchmarks.md", (_OTHER.format("facenet-pytorch, last threshold 0.9"),), 0),
    "break-even": Figure("docs/costs.md", (r"^\| `dev`: .*\| ([\d,]+) \|$",)),
    "cost-idle": Figure("docs/costs.md", (r"^\| \*\*Together\*\* \| \*\*([\d.]+)",), 0),
    "cost-paused": Figure("docs/costs.md", (r"^\| `DatabaseKind = \"aurora-serverless\"` \| ([\d.]+)",), 0),
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
