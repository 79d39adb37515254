"""No input, however broken, raises or hangs; what is known depends on the text, not on how it came about."""

from __future__ import annotations

import json
import os
import random
import time
from pathlib import Path
from textwrap import indent

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stepbridge_lsp.documents import (
    AnyDocument,
    DefinitionDocument,
    PythonDocument,
    TemplateDocument,
    Workspace,
    reading,
)
from stepbridge_lsp.documents import syntax as s
from stepbridge_lsp.documents.cutting import Cuts, cuts_of
from stepbridge_lsp.documents.notebook import Cell, NotebookDocument
from stepbridge_lsp.documents.reading import Reader
from stepbridge_lsp.model import Site
from stepbridge_lsp.positions import LineIndex, Position
from stepbridge_lsp.rules import Finding, diagnose

from tests.lsp.snippets import PRELUDES, all_snippets

PROGRAMS = Path(__file__).parent / "programs"
SOURCES = [
    (PROGRAMS / name / "pipeline.py").read_text() for name in ("classic", "functions", "variety", "loops")
]
SOURCES += [snippet.source for snippet in all_snippets()[::9]]
DEFINITIONS = [
    path.read_text()
    for path in sorted((Path(__file__).parents[1] / "definition" / "definitions").glob("*.json"))
]
PIECES = st.sampled_from(
    [
        "",
        "(",
        ")",
        "[",
        "{",
        "}",
        '"',
        "'",
        '"""',
        "\n",
        "\n    ",
        "\\\n",
        "#",
        ".",
        ",",
        "=",
        "def f(",
        "if x:\n",
        "class ",
        "lambda ",
        "@",
        "f'{",
        "*",
        "**",
        "😀",
        "é",
        "\t",
        "\r\n",
        "\x00",
        "return",
        "for i in x:",
        "import ",
        "step.properties.",
    ]
)
KEYS = st.sampled_from(["Steps", "Name", "Type", "Arguments", "Get", "Parameters", "Std:Join"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=30,
)
CASUAL = settings(
    max_examples=int(os.environ.get("FUZZ", "50")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def program(text: str) -> PythonDocument:
    return PythonDocument("file:///nowhere/pipeline.py", text.encode("utf-8", "replace"), Workspace())


def seen(document: AnyDocument) -> list[tuple[str, str, tuple[int, int]]]:
    findings: list[Finding] = diagnose(document)
    return [(f.code, f.message, (f.span.start, f.span.end)) for f in findings]


@CASUAL
@given(st.text(max_size=400))
def test_any_text_is_a_program(text: str) -> None:
    seen(program(text))


@CASUAL
@given(st.lists(PIECES, max_size=120))
def test_any_mixture_of_syntax_is_a_program(pieces: list[str]) -> None:
    seen(program(PRELUDES["v2"] + "".join(pieces)))


@CASUAL
@given(st.sampled_from(SOURCES), st.randoms(use_true_random=False), PIECES)
def test_programs_with_holes_and_insertions(source: str, chance: random.Random, piece: str) -> None:
    for _ in range(3):
        start = chance.randrange(len(source) + 1)
        end = min(len(source), start + chance.choice([0, 0, 1, 2, 10, 200]))
        source = source[:start] + piece + source[end:]
    document = program(source)
    seen(document)
    assert len(document.model.calls) < 10_000


@CASUAL
@given(st.sampled_from(SOURCES), st.data())
def test_edits_lead_where_the_text_leads(source: str, data: st.DataObject) -> None:
    document = program(source)
    for _ in range(data.draw(st.integers(1, 6))):
        lines = document.lines
        start = data.draw(st.integers(0, len(document.source)))
        end = min(len(document.source), start + data.draw(st.sampled_from([0, 1, 3, 40, 400])))
        piece = data.draw(PIECES)
        document.edit(lines.position(start), lines.position(end), piece)
        if data.draw(st.booleans()):
            seen(document)
    fresh = program(document.text)
    assert document.source == fresh.source
    assert seen(document) == seen(fresh)
    assert [s.name for s in document.model.steps] == [s.name for s in fresh.model.steps]
    assert document.model.broken == fresh.model.broken


SHAPES = [*SOURCES, *(f"def make(role):\n{indent(source, '    ')}\n\nx = 1\n" for source in SOURCES[:3])]
HARMLESS = st.sampled_from(
    ["x", "", "\n", "\ny = 2\n", "  ", "(", ")", "@cached\n", "# note\n", "else:\n", '"""', "'"]
)


@CASUAL
@given(st.sampled_from(SHAPES), st.data())
def test_what_is_read_again_is_what_a_whole_reading_gives(source: str, data: st.DataObject) -> None:
    reader = Reader()
    text = source.encode()
    before = reader.read(text)
    for _ in range(8):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.sampled_from([0, 0, 0, 1, 2, 30]))
        text = text[:start] + data.draw(HARMLESS).encode() + text[end:]
        before = reader.read(text, before)
        whole = reader.read(text)
        assert statements(before.block) == statements(whole.block)
        assert before.broken == whole.broken


def test_a_long_function_with_a_misleading_header_is_whole() -> None:
    lines = "".join(f"    name_{n} = call(value={n})\n" for n in range(200))
    document = program(f'def make(options={{"depth":\n    6}}):\n{lines}    return options\n\nlast = 1\n')
    assert not document.model.broken
    assert [type(found) for _, found in document.analysis.lowered.block.items] == [s.FunctionDef, s.Assign]


def statements(block: s.Block, base: int = 0) -> list[tuple[int, type[s.Statement], int, object]]:
    """All statements of a block with their places, those of functions and classes too."""
    found: list[tuple[int, type[s.Statement], int, object]] = []
    for at, statement in block.items:
        found.append((base + at, type(statement), statement.length, statement.mentions))
        if isinstance(statement, s.FunctionDef | s.ClassDef):
            found.append((base + at + statement.name_start, type(statement), statement.name_end, None))
            found += statements(statement.body, base + at)
    return found


@pytest.mark.parametrize(
    ("head", "margin"),
    [("", ""), ("def make():\n", "    "), ("class Maker:\n    def make(self):\n", " " * 8)],
)
def test_an_edit_costs_the_cutting_of_the_statements_around_it(
    head: str, margin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[int] = []

    def recorded(source: bytes, start: int, end: int, columns: int) -> Cuts:
        cut.append(end - start)
        return cuts_of(source, start, end, columns)

    monkeypatch.setattr(reading, "cuts_of", recorded)
    lines = [f"{margin}name_{n} = call(value={n})\n" for n in range(400)]
    document = program(head + "".join(lines))
    seen(document)
    assert len("".join(lines)) in cut
    del cut[:]
    place = Position(head.count("\n") + 200, len(margin) + 6)
    document.edit(place, place, "x(")
    seen(document)
    assert cut == [len(lines[199]) + len(lines[200]) + 2]


@CASUAL
@given(st.sampled_from(DEFINITIONS), st.data())
def test_edits_of_definitions_lead_where_the_text_leads(source: str, data: st.DataObject) -> None:
    document = DefinitionDocument("file:///nowhere/definition.json", source.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(document.source)))
        end = min(len(document.source), start + data.draw(st.sampled_from([0, 0, 1, 5, 60])))
        piece = data.draw(
            st.sampled_from(["", '"', "{", "}", "[", "]", ",", ":", "1", '"x"', "😀", "\\", "nul"])
        )
        lines = document.lines
        document.edit(lines.position(start), lines.position(end), piece)
        if data.draw(st.booleans()):
            seen(document)
            sites(document)
    fresh = DefinitionDocument("file:///nowhere/definition.json", document.source)
    assert seen(document) == seen(fresh)
    assert document.model.broken == fresh.model.broken
    assert sites(document) == sites(fresh)


def sites(document: DefinitionDocument) -> list[tuple[str, str | None, list[Site]]]:
    return [(symbol.name, symbol.owner, symbol.sites) for symbol in document.model.symbols]


@CASUAL
@given(st.text(alphabet='{}[]",:0123 \n\\utruefalsnl😀', max_size=200))
def test_any_text_is_a_definition(text: str) -> None:
    document = DefinitionDocument("file:///nowhere/definition.json", text.encode())
    seen(document)
    assert document.model.document
    for offset in range(0, len(document.source) + 1, 7):
        document.json.pointer_at(offset)


@CASUAL
@given(VALUES)
def test_any_json_is_a_definition(value: object) -> None:
    document = DefinitionDocument("file:///nowhere/definition.json", json.dumps(value).encode())
    seen(document)
    assert document.model.document


@CASUAL
@given(st.text(max_size=300))
def test_any_text_is_a_template(text: str) -> None:
    for lead in ("", '{"Resources": {"P": {"Type": "AWS::SageMaker::Pipeline", "Properties": '):
        document = TemplateDocument("file:///nowhere/template.yaml", (lead + text).encode("utf-8", "replace"))
        seen(document)


@CASUAL
@given(st.lists(st.text(max_size=120), max_size=6))
def test_any_cells_are_a_notebook(texts: list[str]) -> None:
    cells = [Cell(f"cell:{i}", text.encode("utf-8", "replace"), i) for i, text in enumerate(texts)]
    document = NotebookDocument.of_cells("file:///nowhere/n.ipynb", cells, Workspace())
    assert [len(cell.source) for cell in cells] == _lengths(document)
    for finding in diagnose(document):
        document.locate(finding.span)


def _lengths(document: NotebookDocument) -> list[int]:
    if not document.starts:
        return []
    ends = [*document.starts[1:], len(document.source)]
    return [end - start - 1 for start, end in zip(document.starts, ends, strict=True)]


@CASUAL
@given(st.text(), st.data())
def test_positions_are_utf_16(text: str, data: st.DataObject) -> None:
    source = text.encode("utf-8", "replace")
    lines = LineIndex.of(source)
    offset = data.draw(st.integers(0, len(text)))
    at = len(text[:offset].encode("utf-8", "replace"))
    position = lines.position(at)
    before = source[:at].decode()
    line = max(before.rfind("\n"), before.rfind("\r")) + 1
    if not (before.endswith("\r") and text[offset : offset + 1] == "\n"):
        assert position.character == len(before[line:].encode("utf-16-le")) // 2
        assert lines.offset(position) == at


@CASUAL
@given(st.text(alphabet="ab\n\r😀"), st.data())
def test_lines_follow_an_edit(text: str, data: st.DataObject) -> None:
    source = text.encode()
    start = data.draw(st.integers(0, len(source)))
    end = data.draw(st.integers(start, len(source)))
    piece = data.draw(st.text(alphabet="a\n\r")).encode()
    edited = LineIndex.of(source).edited(start, end, piece)
    assert edited == LineIndex.of(source[:start] + piece + source[end:])


def test_a_place_past_the_end_is_the_end() -> None:
    lines = LineIndex.of("a😀b\nc".encode())
    assert lines.offset(Position(0, 99)) == 6
    assert lines.offset(Position(9, 0)) == 8
    assert lines.offset(Position(0, 3)) == 5
    assert lines.position(5) == Position(0, 3)


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5_000,
        "x = " + "[" * 5_000 + "]" * 5_000,
        "x = " + " + ".join(["a"] * 5_000),
        "x = " + ".".join(["a"] * 5_000),
        "\n".join(" " * depth + "if x:" for depth in range(300)),
        "\n".join(f"def f{i}(): f{(i + 1) % 400}()" for i in range(400)) + "\nf0()",
        "def f(x):\n" + "    f(f(x))\n" * 30 + "f(1)",
        "a = b = " * 2_000 + "1",
        "x = f'{" * 300,
        '"""' * 2_001,
        "class A(B): pass\nclass B(A): pass\nA().x",
        "@" * 3_000,
        "x = {**" * 1_000,
        "lambda: " * 2_000 + "1",
        "not " * 3_000 + "x",
        "x if y else " * 2_000 + "z",
    ],
    ids=lambda text: text[:18],
)
def test_pathological_programs_end_soon(text: str) -> None:
    begin = time.process_time()
    seen(program(PRELUDES["v2"] + text))
    assert time.process_time() - begin < 8
