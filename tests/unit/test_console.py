"""The documents contain every file of their folder."""

from __future__ import annotations

from chalicelib.api import console


def test_the_document_contains_every_script() -> None:
    scripts = "".join(console._joined(entry, set()) for entry in (console.ENTRY, console.REFERENCE_ENTRY))

    assert [file.name for file in console.PAGE.glob("*.js") if f"const {file.stem}_module = " not in scripts] == []


def test_the_document_contains_every_style_sheet() -> None:
    assert {file.name for file in console.PAGE.glob("*.css")} == {*console.STYLES, *console.REFERENCE_STYLES}
