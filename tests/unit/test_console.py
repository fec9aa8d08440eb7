"""The documents contain every file of their folder."""

from __future__ import annotations

from chalicelib.api import console


def test_the_document_contains_every_script() -> None:
    scripts = "".join(console._joined(entry, set()) for entry in (console.ENTRY, console.REFERENCE_ENTRY))

    assert [file.name for file in console.PAGE.glob("*.js") if f"const ${file.stem} = " not in scripts] == []


def test_the_document_contains_every_style_sheet() -> None:
    assert {file.name for file in console.PAGE.glob("*.css")} == {*console.STYLES, *console.REFERENCE_STYLES}


def test_spaces_are_removed_from_code_only() -> None:
    source = 'f("a = \\", b", `c ? ${d} : e`);\nif (a / b > 1) c = a + +b;\nx = y.replace(/^ , /, " ; ");\n'

    served = console._LOOSE_SCRIPT.sub(r"\1\2", source)

    assert served == 'f("a = \\", b",`c ? ${d} : e`);\nif(a / b>1)c=a + +b;\nx=y.replace(/^ , /, " ; ");\n'
