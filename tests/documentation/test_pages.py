"""Every page says who should read it, stands in the index and has working links; the README stays short."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.documentation.commands import ROOT
from tests.documentation.quotes import FIGURES, QUOTATION, QUOTING, pages_to_change, quoted

DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
PAGES = sorted(page for page in DOCS.rglob("*.md") if page.parent.name != "decisions")
ALL = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]

MAX_README_WORDS = 900

_BLOCK = re.compile(r"^```.*?^```$|^ {4,}[^\n]*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"``.+?``|`[^`\n]+`")
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
_KINDS = ["Tutorials", "How-to guides", "Reference", "Explanation"]


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_begins_with_whom_it_is_for(page: Path) -> None:
    title, blank, reader, after, *_ = page.read_text("utf-8").splitlines()

    assert title.startswith("# ")
    assert re.fullmatch(r"\*?For .+\.\*?", reader)
    assert not blank + after


def test_the_index_has_four_kinds_and_each_page_once() -> None:
    text = INDEX.read_text("utf-8")
    listed = [link.partition("#")[0] for link in re.findall(r"^- \[[^\]]+\]\(([^)]+)\): .+\.$", text, re.MULTILINE)]
    pages = Counter(page for page in ((DOCS / link).resolve() for link in listed) if DOCS in page.parents)

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == _KINDS
    assert len(listed) == len(re.findall(r"^- ", text, re.MULTILINE))
    assert pages == Counter([*(page for page in PAGES if page != INDEX), DOCS / "decisions" / "README.md"])


@pytest.mark.parametrize("page", ALL, ids=name)
def test_relative_links_lead_to_files_and_headings(page: Path) -> None:
    broken = []
    for link in _LINK.findall(_prose(page)):
        path, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in _anchors(target)):
            broken.append(link)

    assert broken == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= MAX_README_WORDS


def test_quotations_have_the_figures_of_their_pages() -> None:
    stale = [name(page) for page in pages_to_change()]

    assert stale == [], "run `python -m tests.documentation.quotes --write`"


def test_an_old_quotation_gets_the_present_figure() -> None:
    figure = FIGURES["cost-idle"].read()

    assert quoted("some <!--q:cost-idle-->0<!--q--> dollars") == f"some <!--q:cost-idle-->{figure}<!--q--> dollars"


def test_every_figure_is_quoted_and_no_quotation_begins_a_line_of_prose() -> None:
    texts = [page.read_text("utf-8") for page in QUOTING]
    quotations = [match for text in texts for match in QUOTATION.finditer(text)]

    assert {match["name"] for match in quotations} == FIGURES.keys()
    # Markdown takes a line that begins with a comment for HTML, and shows what follows as it is.
    assert [
        match[0] for match in quotations if "\n" not in match["text"] and match.string[match.start() - 1] == "\n"
    ] == []


def _prose(page: Path) -> str:
    return _CODE.sub("", _BLOCK.sub("", page.read_text("utf-8")))


def _anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives a page's headings; a repeated heading gets a number."""
    found: Counter[str] = Counter()
    anchors = set()
    for heading in _HEADING.findall(_BLOCK.sub("", page.read_text("utf-8"))):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        anchor = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
        anchors.add(f"{anchor}-{found[anchor]}" if found[anchor] else anchor)
        found[anchor] += 1
    return anchors
