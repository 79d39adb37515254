"""The session under edits: whatever is typed, in whatever order, it knows what a fresh look at the text
knows, and no feature raises.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lsprotocol import types as t
from pytest_lsp import ClientServerConfig
from stepbridge_lsp.documents import DefinitionDocument, PythonDocument
from stepbridge_lsp.features import completion, hints, hover, lenses, links, navigation, outline, tokens
from stepbridge_lsp.features.actions import extract_parameter, fix_all, quick_fixes
from stepbridge_lsp.features.definitions import complete_definition, hover_definition
from stepbridge_lsp.features.pipelines import pipelines
from stepbridge_lsp.features.rename import rename_range
from stepbridge_lsp.features.signature import signature
from stepbridge_lsp.positions import LineIndex, Span
from stepbridge_lsp.session import Session, fingerprint
from stepbridge_lsp.wire import Wire

from tests.lsp.editor import COMMAND, Client, Editor, make_client
from tests.lsp.features.programs import IMPORTS, PIPELINE, PREPARE_SCRIPT, STEPS, TRAIN_SCRIPT
from tests.lsp.features.test_definitions import WHOLE as DEFINITION

PROGRAM = IMPORTS + STEPS + PIPELINE
# pieces that break brackets, strings, blocks and columns
PIECES = [
    "",
    " ",
    "\n",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    '"',
    "'",
    '"""',
    "\\",
    "#",
    ":",
    ",",
    ".",
    "=",
    "é",
    "😀",
]
PIECES += ["\r\n", "\t", "def f(", "if x:", "stage", "ParameterString(", "f'{stage}'", "\x00", "\ud800"]
Edit = tuple[float, int, str]
edits = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 30), st.sampled_from(PIECES)), min_size=1, max_size=12
)


def typed(session: Session, uri: str, made: list[Edit]) -> None:
    """Make edits in an open text, by positions."""
    for version, (where, length, text) in enumerate(made, 2):
        source = session.open[uri].text.source
        lines = LineIndex.of(source)
        start = int(where * len(source))
        span = (lines.position(start), lines.position(min(len(source), start + length)))
        session.did_change(uri, version, [(span, text)])


def fresh(uri: str, language: str, source: bytes) -> Session:
    session = Session()
    session.did_open(uri, language, 1, source.decode())
    return session


slow = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


@slow
@given(edits)
def test_a_program_after_edits_is_known_as_if_opened_anew(made: list[Edit]) -> None:
    uri = "untitled:pipeline.py"
    session = Session()
    session.did_open(uri, "python", 1, PROGRAM)
    session.findings(uri)
    for edit in made:
        typed(session, uri, [edit])
        session.findings(uri)
    other = fresh(uri, "python", session.open[uri].text.source)
    assert fingerprint(session.findings(uri)) == fingerprint(other.findings(uri))


@slow
@given(edits)
def test_a_definition_after_edits_is_known_as_if_opened_anew(made: list[Edit]) -> None:
    uri = "untitled:definition.json"
    session = Session()
    session.did_open(uri, "json", 1, DEFINITION)
    session.findings(uri)
    for edit in made:
        typed(session, uri, [edit])
        session.findings(uri)
    other = fresh(uri, "json", session.open[uri].text.source)
    assert type(session.open[uri].text) is type(other.open[uri].text)
    assert fingerprint(session.findings(uri)) == fingerprint(other.findings(uri))


def on_program(document: PythonDocument, offset: int) -> Iterator[Callable[[], object]]:
    span = Span(document.key, offset, offset)
    yield lambda: hover.hover(document, offset)
    yield lambda: completion.complete(document, offset)
    yield lambda: signature(document, offset)
    yield lambda: navigation.definitions(document, offset)
    yield lambda: navigation.references(document, offset)
    yield lambda: rename_range(document, offset)
    yield lambda: extract_parameter(document, span)
    yield lambda: outline.outline(document)
    yield lambda: outline.folds(document)
    yield lambda: hints.hints(document)
    yield lambda: tokens.tokens(document)
    yield lambda: links.links(document)
    yield lambda: lenses.lenses(document)
    yield lambda: pipelines(document)


@slow
@given(edits, st.floats(0, 1))
def test_no_feature_raises_in_a_program(made: list[Edit], where: float) -> None:
    uri = "untitled:pipeline.py"
    session = Session()
    session.did_open(uri, "python", 1, PROGRAM)
    typed(session, uri, made)
    document = session.document(uri)
    assert isinstance(document, PythonDocument)
    offset = int(where * len(document.source))
    for call in on_program(document, offset):
        call()
    findings = session.findings(uri)
    quick_fixes(document, findings, Span(document.key, 0, len(document.source)))
    fix_all(document, findings, session.check)


@slow
@given(edits, st.floats(0, 1))
def test_no_feature_raises_in_a_definition(made: list[Edit], where: float) -> None:
    uri = "untitled:definition.json"
    session = Session()
    session.did_open(uri, "json", 1, DEFINITION)
    typed(session, uri, made)
    document = session.document(uri)
    if not isinstance(document, DefinitionDocument):
        return
    offset = int(where * len(document.source))
    hover_definition(document, offset)
    complete_definition(document, offset)
    extract_parameter(document, Span(document.key, offset, offset))
    outline.outline(document)
    outline.folds(document)
    hints.hints(document)
    tokens.tokens(document)
    pipelines(document)
    navigation.references(document, offset)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
@given(text=st.text(alphabet="aé😀\n\r\t", max_size=30), where=st.floats(0, 1))
def test_positions_lead_there_and_back(encoding: str, text: str, where: float) -> None:
    session = Session()
    session.did_open("untitled:a.py", "python", 1, text)
    document = session.document("untitled:a.py")
    assert document is not None
    wire = Wire(session, encoding)
    characters = text[: int(where * len(text))]
    offset = len(characters.encode())
    if text.encode()[offset - 1 : offset + 1] == b"\r\n":
        return  # no position lies between the two
    _, found = wire.place(document, Span(document.key, offset, offset))
    assert wire.offset(document, found.start) == offset
    line = characters.replace("\r\n", "\n").replace("\r", "\n").rpartition("\n")[2]
    units = {"utf-8": len(line.encode()), "utf-16": len(line.encode("utf-16-le")) // 2, "utf-32": len(line)}
    assert found.start.character == units[encoding]


# -- the real process ------------------------------------------------------------------------------


@pytest_lsp.fixture(
    scope="module", config=ClientServerConfig(server_command=COMMAND, client_factory=make_client)
)
async def client(lsp_client: Client) -> AsyncIterator[None]:
    await lsp_client.initialize_session(t.InitializeParams(capabilities=t.ClientCapabilities()))
    yield
    await lsp_client.shutdown_session()


@pytest.mark.asyncio(loop_scope="module")
async def test_the_process_survives_a_person_who_types_and_deletes(client: Client, tmp_path: Path) -> None:
    """Every prefix of a line, in three places, with requests in between: answers come, and none is an
    error."""
    (tmp_path / "prepare.py").write_text(PREPARE_SCRIPT)
    (tmp_path / "train.py").write_text(TRAIN_SCRIPT)
    editor = Editor(client, tmp_path / "pipeline.py")
    await editor.open(PROGRAM)
    line = 'TrainingStep(name="é😀", step_args=estimator.fit(inputs={"a": prepare.properties.'
    for place_ in ("weak = ", "estimator = ", "pipeline = "):
        for length in range(0, len(line), 6):
            await editor.type(place_, f"{line[:length]}\n{place_}", wait=False)
            here: dict[str, Any] = {
                "text_document": editor.document,
                "position": editor.at(f"{line[:length]}|\n{place_}"),
            }
            await client.text_document_completion_async(t.CompletionParams(**here))
            await client.text_document_hover_async(t.HoverParams(**here))
            await client.text_document_document_symbol_async(t.DocumentSymbolParams(editor.document))
            await editor.type(f"{line[:length]}\n{place_}", place_, wait=False)
    assert editor.text == PROGRAM
    assert await editor.diagnostics() == []
    assert client.error is None
    editor.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_texts_that_are_no_text(client: Client, tmp_path: Path) -> None:
    for name, language, text in (
        ("a.py", "python", "\x00" * 50 + "sagemaker"),
        ("b.py", "python", "(" * 5_000 + "sagemaker"),
        ("c.json", "json", '{"Version": ' + "[" * 5_000 + '"Steps"'),
        ("d.json", "json", '{"Steps": {"Version": 1e999, "a": ' + "9" * 5_000 + "}}"),
        ("e.yaml", "yaml", "AWS::SageMaker::Pipeline\nPipelineDefinitionBody: |\n  {"),
    ):
        editor = Editor(client, tmp_path / name, language)
        await editor.open(text)
        await client.text_document_hover_async(t.HoverParams(editor.document, t.Position(0, 40)))
        await client.text_document_completion_async(t.CompletionParams(editor.document, t.Position(0, 60)))
        editor.close()
    assert client.error is None
