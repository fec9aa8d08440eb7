"""The documents contain every file of their folder."""

from __future__ import annotations

from chalicelib.api import console


def test_the_document_contains_every_script() -> None:
    joined: set[str] = set()

    for entry in (console.ENTRY, console.REFERENCE_ENTRY):
        console._joined(entry, joined)

    assert {file.stem for file in console.PAGE.glob("*.js")} == joined


def test_an_exported_name_is_unique() -> None:
    exported = [name for file in console.PAGE.glob("*.js") for _, name in console._EXPORT.findall(file.read_text())]

    assert len(exported) == len(set(exported))


def test_the_document_contains_every_style_sheet() -> None:
    assert {file.name for file in console.PAGE.glob("*.css")} == {*console.STYLES, *console.REFERENCE_STYLES}


def test_spaces_are_removed_from_code_only() -> None:
    source = (
        'f("a = \\", b", `c ? ${d} : e`, g);\nh(`a ? ${b ? ` , ` : e}`, i);\nif (a / b > 1) c = a + +b;\n'
        'x = y.replace(/^ , /, " ; ");\n'
    )

    served = console._LOOSE_SCRIPT.sub(r"\1\2\3\4", source)

    assert (
        served == 'f("a = \\", b",`c ? ${d} : e`,g);\nh(`a ? ${b ? ` , ` : e}`, i);\nif(a / b>1)c=a + +b;\n'
        'x=y.replace(/^ , /, " ; ");\n'
    )


def test_quotes_are_removed_where_a_value_needs_none() -> None:
    source = '<a id="a-1" class="b c" href="#/d" title="">"e"</a><input name="f">'

    assert console._QUOTES.sub(r"\1", source) == '<a id=a-1 class="b c" href="#/d" title="">"e"</a><input name=f>'
