"""Definitions, references, renames, outlines, hints, lenses and links, as functions of documents."""

from __future__ import annotations

import json
import sqlite3
from itertools import pairwise
from pathlib import Path

import pytest
from stepbridge_lsp.documents import DefinitionDocument
from stepbridge_lsp.documents.command_line import options_of
from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.documents.workspace import Workspace
from stepbridge_lsp.features.hints import hints
from stepbridge_lsp.features.history import history_of, last_run, stamp_of, status_words
from stepbridge_lsp.features.lenses import lenses
from stepbridge_lsp.features.links import links
from stepbridge_lsp.features.navigation import belong_together, definitions, highlights, references
from stepbridge_lsp.features.outline import flat, folds, outline, search
from stepbridge_lsp.features.pipelines import pipelines
from stepbridge_lsp.features.rename import RenameError, rename, rename_range
from stepbridge_lsp.features.signature import signature
from stepbridge_lsp.features.tokens import tokens
from stepbridge_lsp.positions import Span

from tests.lsp.features.programs import IMPORTS, PIPELINE, STEPS, at, find, program

WHOLE = IMPORTS + STEPS + PIPELINE


def texts(document: PythonDocument, spans: list[Span]) -> list[str]:
    return [document.source[span.start : span.end].decode() for span in spans]


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ('step_name="Pre|pare"', "Prepare"),
        ('Outputs["tr|ain"]', "train"),
        ("parameters=[st|age", "Stage"),
        ("property_files=[rep|ort]", "Report"),
        ('output_name="eval|uation", path', "evaluation"),
    ],
)
def test_definition(place: str, target: str) -> None:
    document = program(WHOLE)
    spans = definitions(document, find(document, place))
    assert texts(document, spans) == [target]


def test_definition_of_a_script_is_the_file(tmp_path: Path) -> None:
    document = program(WHOLE, tmp_path)
    spans = definitions(document, find(document, 'entry_point="tr|ain.py"'))
    assert spans == [Span(str(tmp_path / "train.py"), 0, 0)]


def test_highlights_tell_definition_from_use() -> None:
    document = program(WHOLE)
    marks = highlights(document, find(document, 'Outputs["tr|ain"]'))
    found = [
        (text, mark.role) for text, mark in zip(texts(document, [m.span for m in marks]), marks, strict=True)
    ]
    assert ("train", "definition") in found
    assert ("train", "use") in found


def test_references_in_documents_that_belong_together(tmp_path: Path) -> None:
    shared = tmp_path / "parameters.py"
    shared.write_text(f'{IMPORTS}stage = ParameterString(name="Stage")\n')
    text = f'{IMPORTS}from parameters import stage\nfail = FailStep(name="F", error_message=stage)\n'
    workspace = Workspace((tmp_path,))
    main = PythonDocument((tmp_path / "main.py").as_uri(), text.encode(), workspace)
    other = PythonDocument(shared.as_uri(), shared.read_bytes(), workspace)
    stranger = program(WHOLE)
    assert belong_together(main, other)
    assert not belong_together(main, stranger)
    spans = references(main, find(main, "error_message=st|age"), [other, stranger])
    assert {span.document for span in spans} == {main.key, other.key}
    assert rename_range(main, find(main, "error_message=st|age")) is None  # a variable's name is not ours
    edits = rename(other, find(other, '"St|age"'), "Other", [main])
    assert [(edit.span.document, edit.text) for edit in edits] == [(other.key, "Other")]


def test_a_program_and_what_it_compiles_to_belong_together() -> None:
    compiled = {
        "Version": "2020-12-01",
        "Steps": [{"Name": n} for n in ("Prepare", "Train", "Check", "Weak")],
    }
    definition = DefinitionDocument("untitled:d.json", json.dumps(compiled).encode())
    assert belong_together(program(WHOLE), definition)
    compiled["Steps"] = [{"Name": n} for n in ("Prepare", "Other", "More", "Still")]
    assert not belong_together(
        program(WHOLE), DefinitionDocument("untitled:d.json", json.dumps(compiled).encode())
    )


def test_rename_refuses() -> None:
    document = program(WHOLE)
    place = find(document, 'name="Pre|pare"')
    for name in ("", "a b", "x" * 65):
        with pytest.raises(RenameError):
            rename(document, place, name)
    with pytest.raises(RenameError, match="already"):
        rename(document, place, "Train")
    with pytest.raises(RenameError, match="no name"):
        rename(document, 0, "x")


def test_outline_has_every_part_once_and_names_within() -> None:
    document = program(WHOLE + 'alone = FailStep(name="Alone", error_message="x")\n')
    entries = outline(document)
    assert [entry.name for entry in entries] == ["demo", "Alone"]
    names = [entry.name for entry, _ in flat(entries)]
    assert sorted(names) == sorted(
        [
            "demo",
            "Stage",
            "Rounds",
            "Prepare",
            "train",
            "evaluation",
            "Report",
            "Check",
            "Train",
            "train",
            "Weak",
            "Alone",
        ]
    )
    for entry, _ in flat(entries):
        assert entry.span.start <= entry.selection.start <= entry.selection.end <= entry.span.end
    assert [(e.name, c) for e, c in search(document, "wk")] == [("Weak", "Check")]
    assert all(span.end > span.start for span in folds(document))


def test_pipelines_of_functions_and_classes() -> None:
    body = "".join(f"    {line}\n" for line in (STEPS + PIPELINE).split("\n"))
    document = program(f"{IMPORTS}def get_pipeline(region=None):\n{body}    return pipeline\n")
    (pipeline,) = pipelines(document)
    assert pipeline.function == "get_pipeline"
    assert len(pipeline.steps) == 4
    (top,) = pipelines(program(WHOLE))
    assert top.function is None


def test_signature_and_the_argument_that_comes_next() -> None:
    found = signature(*at("TrainingStep(name='x', step_args=|"))
    assert found is not None
    assert found.active is not None
    active = found.arguments[found.active]
    assert found.label[active.start : active.end] == "step_args=None"
    assert signature(*at("print(|")) is None
    assert signature(*at("x = 1|")) is None
    nested = signature(*at("Pipeline(name='x', steps=[|"))
    assert nested is not None
    assert nested.label.startswith("Pipeline(")


def test_tokens_are_in_order_and_do_not_overlap() -> None:
    document = program(WHOLE)
    found = tokens(document)
    for first, second in pairwise(found):
        assert first.span.end <= second.span.start
    words = {document.source[t.span.start : t.span.end].decode(): t.type for t in found}
    assert words["stage"] == "parameter"
    assert words["S3Uri"] == "property"
    assert words["score"] == "variable"
    half = len(document.source) // 2
    assert [t for t in found if t.span.start >= half] == tokens(document, half)


def test_links(tmp_path: Path) -> None:
    document = program(WHOLE, tmp_path)
    found = [(document.source[x.span.start : x.span.end].decode(), x.target) for x in links(document)]
    assert found == [("prepare.py", tmp_path / "prepare.py"), ("train.py", tmp_path / "train.py")]


def test_options_of_scripts() -> None:
    source = b"""
import argparse, click
p = argparse.ArgumentParser()
p.add_argument("-n", "--number", type=int, default=3)
p.add_argument("--name", required=True, help="A name.")
p.add_argument("positional")
@click.option("--flag/--no-flag", default=False)
def f(): ...
"""
    found = options_of(source)
    assert [(o.name, o.described) for o in found] == [
        ("number", "int = 3"),
        ("name", "str (required)"),
        ("flag", "str = False"),
    ]
    assert found[1].help == "A name."
    assert options_of(b"p.add_argument('--a'") == ()


# -- runs ------------------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A history with one run of the pipeline `demo`."""
    folder = tmp_path / ".stepbridge"
    folder.mkdir()
    with sqlite3.connect(folder / "history.sqlite") as db:
        db.execute("CREATE TABLE executions (run TEXT, pipeline TEXT, status TEXT, started REAL, ended REAL)")
        db.execute("CREATE TABLE steps (run TEXT, name TEXT, position INTEGER, state TEXT)")
        db.execute("INSERT INTO executions VALUES ('old', 'demo', 'Failed', 1, 2)")
        db.execute("INSERT INTO executions VALUES ('new', 'demo', 'Succeeded', 10, 22.5)")
        uri = {"S3Uri": "s3://bucket/train"}
        properties = {"ProcessingOutputConfig": {"Outputs": [{"OutputName": "train", "S3Output": uri}]}}
        state = {"status": "Succeeded", "started": 10, "ended": 12, "properties": properties}
        db.execute("INSERT INTO steps VALUES ('new', 'Prepare', 0, ?)", (json.dumps(state),))
    return tmp_path


def test_lenses_tell_how_the_last_run_ended(run: Path) -> None:
    document = program(WHOLE, run)
    history = history_of(Path(document.key))
    assert history is not None

    def runs(name: str):  # type: ignore[no-untyped-def]
        return last_run(history, name)

    titles = [lens.title for lens in lenses(document, runs)]
    assert "✓ succeeded in 12 s" in titles
    assert titles.count("Attach") == 4
    assert "✓ succeeded in 2.0 s" in titles
    assert all(lens.command for lens in lenses(document))


def test_hints_tell_what_a_property_was(run: Path) -> None:
    document = program(WHOLE, run)
    history = history_of(Path(document.key))
    assert history is not None
    found = [hint.text for hint in hints(document, last_run=lambda name: last_run(history, name))]
    assert '= "s3://bucket/train"' in found
    assert '= "dev"' in found


def test_a_history_that_cannot_be_read_is_no_run(tmp_path: Path) -> None:
    assert history_of(tmp_path / "x.py") is None
    broken = tmp_path / "history.sqlite"
    broken.write_bytes(b"not a database at all, but long enough to look like one" * 20)
    assert last_run(broken, "demo") is None
    assert last_run(tmp_path / "absent.sqlite", "demo") is None
    before = stamp_of(broken)
    broken.write_bytes(b"")
    assert stamp_of(broken) != before


def test_status_words() -> None:
    assert status_words("Failed", 250) == "✗ failed in 4 min 10 s"
    assert status_words("Executing", None) == "▶ executing"
