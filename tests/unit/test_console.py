"""The console's document contains every file of its folder."""

from __future__ import annotations

from chalicelib.api import console


def test_the_document_contains_every_script() -> None:
    script = console._joined(console.ENTRY, set())

    assert [file.name for file in console.PAGE.glob("*.js") if f"const ${file.stem} = " not in script] == []


def test_the_document_contains_every_style_sheet() -> None:
    assert {file.name for file in console.PAGE.glob("*.css")} == set(console.STYLES)
