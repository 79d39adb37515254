"""A client that asks for diagnostics itself, speaks UTF-8, has settings, notebooks and several files."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import pytest_lsp
from lsprotocol import types as t
from pygls.exceptions import JsonRpcException
from pytest_lsp import ClientServerConfig

from tests.lsp.editor import COMMAND, Client, Editor, codes, make_client
from tests.lsp.features.programs import IMPORTS, PIPELINE, PREPARE_SCRIPT, STEPS, TRAIN_SCRIPT

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROGRAM = IMPORTS + STEPS + PIPELINE
UNLISTED = PROGRAM.replace("[stage, rounds]", "[stage]")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "train.py").write_text(TRAIN_SCRIPT)
    (folder / "prepare.py").write_text(PREPARE_SCRIPT)
    (folder / "saved.py").write_text(UNLISTED.replace('"demo"', '"saved"'))
    (folder / "fine.py").write_text(PROGRAM.replace('"demo"', '"fine"'))
    (folder / "package.json").write_text('{"name": "x"}')
    return folder


@pytest_lsp.fixture(
    scope="module", config=ClientServerConfig(server_command=COMMAND, client_factory=make_client)
)
async def client(lsp_client: Client, root: Path) -> AsyncIterator[None]:
    capabilities = t.ClientCapabilities(
        general=t.GeneralClientCapabilities(position_encodings=[t.PositionEncodingKind.Utf8]),
        workspace=t.WorkspaceClientCapabilities(
            configuration=True,
            diagnostics=t.DiagnosticWorkspaceClientCapabilities(refresh_support=True),
            workspace_edit=t.WorkspaceEditClientCapabilities(document_changes=False),
        ),
        text_document=t.TextDocumentClientCapabilities(diagnostic=t.DiagnosticClientCapabilities()),
        notebook_document=t.NotebookDocumentClientCapabilities(t.NotebookDocumentSyncClientCapabilities()),
        window=t.WindowClientCapabilities(work_done_progress=True),
    )
    found = await lsp_client.initialize_session(
        t.InitializeParams(
            capabilities=capabilities,
            workspace_folders=[t.WorkspaceFolder(root.as_uri(), "w")],
            initialization_options={"trusted": True},
        )
    )
    assert found.capabilities.position_encoding == t.PositionEncodingKind.Utf8
    yield
    await lsp_client.shutdown_session()


@pytest_asyncio.fixture(loop_scope="module")
async def editor(client: Client, root: Path) -> AsyncIterator[Editor]:
    editor = Editor(client, root / "pipeline.py")
    await editor.open(UNLISTED, wait=False)
    yield editor
    editor.close()


async def pull(client: Client, uri: str, previous: str | None = None) -> Any:
    params = t.DocumentDiagnosticParams(t.TextDocumentIdentifier(uri), previous_result_id=previous)
    return await client.text_document_diagnostic_async(params)


async def test_pull_and_unchanged(editor: Editor) -> None:
    found = await pull(editor.client, editor.uri)
    assert codes(found.items) == ["P040"]
    again = await pull(editor.client, editor.uri, found.result_id)
    assert isinstance(again, t.RelatedUnchangedDocumentDiagnosticReport)
    assert again.result_id == found.result_id
    await editor.type("session = Pipe", "\nsession = Pipe", wait=False)
    moved = await pull(editor.client, editor.uri, found.result_id)
    assert moved.items[0].range.start.line == found.items[0].range.start.line + 1
    assert editor.uri not in editor.client.published  # nothing is pushed to who pulls


async def test_columns_are_bytes(editor: Editor) -> None:
    line = 'weak = FailStep(name="Weak", error_message=Join(on=" ", values=["é😀", stage2]))'
    await editor.send([t.TextDocumentContentChangeWholeDocument(f"{IMPORTS}{line}\n")], wait=False)
    line_number = IMPORTS.count("\n")
    column = len(line[: line.index("stage2")].encode())
    change = t.TextDocumentContentChangePartial(
        range=t.Range(t.Position(line_number, column), t.Position(line_number, column + 6)),
        text='ParameterInteger("N", default_value="x")',
    )
    await editor.send([change], wait=False)
    found = await pull(editor.client, editor.uri)
    default = next(d for d in found.items if d.code == "P020")
    text = line.replace("stage2", change.text)
    assert default.range.start.character == len(text[: text.index('"x"')].encode())
    hover = await editor.client.text_document_hover_async(
        t.HoverParams(editor.document, t.Position(line_number, column + 3))
    )
    assert hover is not None
    assert hover.range is not None
    assert hover.range.start.character == column


async def test_workspace_diagnostics_with_progress(editor: Editor, root: Path) -> None:
    client = editor.client
    client.progress_reports["token"] = []
    params = t.WorkspaceDiagnosticParams([], work_done_token="token")
    found = await client.workspace_diagnostic_async(params)
    by_name = {Path(report.uri).name: report for report in found.items}
    assert set(by_name) == {"saved.py", "pipeline.py"}
    saved = by_name["saved.py"]
    assert isinstance(saved, t.WorkspaceFullDocumentDiagnosticReport)
    assert codes(list(saved.items)) == ["P040"]
    assert saved.version is None
    assert by_name["pipeline.py"].version == 1
    kinds = [report.kind for report in client.progress_reports["token"]]
    assert (kinds[0], kinds[-1]) == ("begin", "end")

    known = [t.PreviousResultId(report.uri, report.result_id or "") for report in found.items]
    again = await client.workspace_diagnostic_async(t.WorkspaceDiagnosticParams(known))
    assert {type(report) for report in again.items} == {t.WorkspaceUnchangedDocumentDiagnosticReport}

    (root / "saved.py").write_text(PROGRAM)
    cleared = await client.workspace_diagnostic_async(t.WorkspaceDiagnosticParams(known))
    (report,) = [r for r in cleared.items if r.uri == saved.uri]
    assert isinstance(report, t.WorkspaceFullDocumentDiagnosticReport)
    assert list(report.items) == []
    (root / "saved.py").write_text(UNLISTED)


async def test_a_request_on_the_workspace_can_be_cancelled(editor: Editor, root: Path) -> None:
    for number in range(40):
        (root / f"many{number}.py").write_text(UNLISTED)
    task = editor.client.protocol.send_request_async(t.WORKSPACE_DIAGNOSTIC, t.WorkspaceDiagnosticParams([]))
    request = asyncio.ensure_future(task)
    await asyncio.sleep(0)
    (number,) = editor.client.protocol._request_futures
    editor.client.cancel_request(t.CancelParams(number))
    with pytest.raises((JsonRpcException, asyncio.CancelledError)):
        await request
    for path in root.glob("many*.py"):
        path.unlink()


async def test_settings_of_the_editor_and_of_the_workspace(editor: Editor, root: Path) -> None:
    client = editor.client
    assert codes((await pull(client, editor.uri)).items) == ["P040"]
    client.set_configuration({"ignore": ["P040"]}, section="stepbridge")
    before = client.diagnostic_refresh_count
    client.workspace_did_change_configuration(t.DidChangeConfigurationParams(settings=None))
    await until(lambda: client.diagnostic_refresh_count > before)
    assert codes((await pull(client, editor.uri)).items) == []
    client.set_configuration({"severity": {"P040": "hint"}}, section="stepbridge")
    client.workspace_did_change_configuration(t.DidChangeConfigurationParams(settings=None))
    await until(lambda: client.diagnostic_refresh_count > before + 1)
    (found,) = (await pull(client, editor.uri)).items
    assert found.severity == t.DiagnosticSeverity.Hint
    client.workspace_did_change_configuration(t.DidChangeConfigurationParams(settings={"stepbridge": {}}))
    assert codes((await pull(client, editor.uri)).items) == ["P040"]

    settings = root / "stepbridge.toml"
    settings.write_text('ignore = ["P04"]\n')
    change = t.FileEvent(settings.as_uri(), t.FileChangeType.Created)
    client.workspace_did_change_watched_files(t.DidChangeWatchedFilesParams([change]))
    assert codes((await pull(client, editor.uri)).items) == []

    settings.write_text("ignore = 3\n")
    shown = len(client.messages)
    client.workspace_did_change_watched_files(t.DidChangeWatchedFilesParams([change]))
    assert codes((await pull(client, editor.uri)).items) == ["P040"]
    assert "stepbridge.toml: ignore is a list" in client.messages[shown].message
    settings.unlink()
    change = t.FileEvent(settings.as_uri(), t.FileChangeType.Deleted)
    client.workspace_did_change_watched_files(t.DidChangeWatchedFilesParams([change]))


async def until(ready: Any) -> None:
    """Messages of the server come between two turns of the loop."""
    async with asyncio.timeout(30):
        while not ready():
            await asyncio.sleep(0.01)


async def test_values_cross_files(editor: Editor, root: Path) -> None:
    client = editor.client
    shared = root / "shared.py"
    shared.write_text('NAME = "Fine"\n')
    text = f"{IMPORTS}from shared import NAME\nweak = FailStep(name=NAME, error_message='x')\n"
    await editor.send([t.TextDocumentContentChangeWholeDocument(text)], wait=False)
    assert "P047" not in codes((await pull(client, editor.uri)).items)

    shared.write_text('NAME = "not fine"\n')
    event = t.FileEvent(shared.as_uri(), t.FileChangeType.Changed)
    before = client.diagnostic_refresh_count
    client.workspace_did_change_watched_files(t.DidChangeWatchedFilesParams([event]))
    await until(lambda: client.diagnostic_refresh_count > before)
    assert "P047" in codes((await pull(client, editor.uri)).items)

    other = Editor(client, shared)  # what is open wins over what is saved
    await other.open('NAME = "Good"\n', wait=False)
    assert "P047" not in codes((await pull(client, editor.uri)).items)
    await other.type("Good", "very bad", wait=False)
    assert "P047" in codes((await pull(client, editor.uri)).items)
    other.close()
    shared.unlink()


async def test_rename_across_files_and_definitions(editor: Editor, root: Path) -> None:
    client = editor.client
    compiled = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Stage", "Type": "String"}],
        "Steps": [
            {"Name": "Prepare", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Stage"}}},
            {"Name": "Train", "Type": "Fail", "DependsOn": ["Prepare"], "Arguments": {"ErrorMessage": "x"}},
        ],
    }
    definition = root / "compiled.json"
    definition.write_text(json.dumps(compiled, indent=1))
    params = t.RenameParams(new_name="Step1", **editor.here('name="Pre|pare"'))
    edit = await client.text_document_rename_async(params)
    assert edit is not None
    changes = edit.changes or {}
    assert len(changes[editor.uri]) == 2
    text = definition.read_text().split("\n")
    places = [
        text[e.range.start.line][e.range.start.character : e.range.end.character]
        for e in changes[definition.as_uri()]
    ]
    assert places == ["Prepare", "Prepare"]
    assert (root / "fine.py").as_uri() not in changes  # another pipeline
    definition.unlink()


async def test_no_status_for_an_extension_that_shows_it_itself(editor: Editor) -> None:
    found = await editor.client.text_document_code_lens_async(t.CodeLensParams(editor.document))
    assert {lens.command.title for lens in found or [] if lens.command} == {"Run", "Debug", "Attach"}


async def test_a_definition_in_json(client: Client, root: Path) -> None:
    editor = Editor(client, root / "definition.json", "json")
    text = """{
  "Version": "2020-12-01",
  "Parameters": [{"Name": "Stage", "Type": "String", "DefaultValue": "dev"}],
  "Steps": [
    {"Name": "Weak", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Stag"}}}
  ]
}"""
    await editor.open(text, wait=False)
    (found,) = [d for d in (await pull(client, editor.uri)).items if d.code == "J061"]
    assert editor.piece(found.range) == '"Parameters.Stag"'
    params = t.CodeActionParams(editor.document, found.range, t.CodeActionContext([]))
    actions = await client.text_document_code_action_async(params)
    action = next(a for a in actions or [] if isinstance(a, t.CodeAction))
    assert action.edit is not None
    (edit,) = (action.edit.changes or {})[editor.uri]
    assert edit.new_text == '"Parameters.Stage"'
    await editor.type("Parameters.Stag", "Parameters.Stage", wait=False)
    assert [
        d.code for d in (await pull(client, editor.uri)).items if d.severity == t.DiagnosticSeverity.Error
    ] == []
    hints = await client.text_document_inlay_hint_async(
        t.InlayHintParams(editor.document, t.Range(t.Position(0, 0), t.Position(9, 0)))
    )
    assert [hint.label for hint in hints or []] == ['= "dev"']
    places = await client.text_document_definition_async(
        t.DefinitionParams(**editor.here("Parameters.St|age"))
    )
    assert [editor.piece(place.range) for place in places or []] == ["Stage"]
    result = await client.protocol.send_request_async(
        "stepbridge/pipelines", {"textDocument": {"uri": editor.uri}}
    )
    assert [pipeline.name for pipeline in result.pipelines] == ["definition"]
    editor.close()


async def test_a_definition_in_a_template(client: Client, root: Path) -> None:
    editor = Editor(client, root / "stack.yaml", "yaml")
    text = """Resources:
  Demo:
    Type: AWS::SageMaker::Pipeline
    Properties:
      PipelineDefinition:
        PipelineDefinitionBody: |
          {"Version": "2020-12-01",
           "Parameters": [{"Name": "Stage", "Type": "String"}],
           "Steps": [{"Name": "Weak", "Type": "Fail",
                      "Arguments": {"ErrorMessage": {"Get": "Parameters.Stag"}}}]}
"""
    await editor.open(text, wait=False)
    (found,) = [d for d in (await pull(client, editor.uri)).items if d.code == "J061"]
    assert editor.piece(found.range) == '"Parameters.Stag"'
    hover = await client.text_document_hover_async(t.HoverParams(**editor.here('"Na|me": "Weak"')))
    assert hover is not None
    assert hover.range is not None
    assert editor.piece(hover.range) == '"Name"'
    symbols = await client.text_document_document_symbol_async(t.DocumentSymbolParams(editor.document))
    (pipeline,) = [s for s in symbols or [] if isinstance(s, t.DocumentSymbol)]
    assert [child.name for child in pipeline.children or []] == ["Stage", "Weak"]
    found_items = await client.text_document_completion_async(
        t.CompletionParams(**editor.here('"Get": "Param|eters.Stag"'))
    )
    assert isinstance(found_items, t.CompletionList)
    item = next(item for item in found_items.items if item.label == "Parameters.Stage")
    assert isinstance(item.text_edit, t.TextEdit)
    assert editor.piece(item.text_edit.range) == '"Parameters.Stag"'
    editor.close()


# -- notebooks -------------------------------------------------------------------------------------


def cell(root: Path, name: str) -> str:
    return f"vscode-notebook-cell:{root}/book.ipynb#{name}"


async def test_notebook(client: Client, root: Path) -> None:
    uri = (root / "book.ipynb").as_uri()
    names = ["imports", "words", "steps", "pipeline"]
    texts = [
        "%matplotlib inline\n" + IMPORTS,
        "# Words",
        STEPS,
        PIPELINE.replace("[stage, rounds]", "[stage]"),
    ]
    kinds = [
        t.NotebookCellKind.Code,
        t.NotebookCellKind.Markup,
        t.NotebookCellKind.Code,
        t.NotebookCellKind.Code,
    ]
    languages = ["python", "markdown", "python", "python"]
    items = zip(names, kinds, texts, languages, strict=True)
    documents = [
        (t.NotebookCell(kind, cell(root, n)), t.TextDocumentItem(cell(root, n), lang, 1, text))
        for n, kind, text, lang in items
    ]
    client.notebook_document_did_open(
        t.DidOpenNotebookDocumentParams(
            t.NotebookDocument(uri, "jupyter-notebook", 1, [made for made, _ in documents]),
            [document for _, document in documents],
        )
    )
    found = (await pull(client, cell(root, "steps"))).items
    assert codes(found) == ["P040"]
    assert STEPS.split("\n")[found[0].range.start.line].strip().startswith('hyperparameters={"rounds"')
    assert codes((await pull(client, cell(root, "pipeline"))).items) == []
    assert found[0].related_information[0].location.uri == cell(root, "pipeline")

    actions = await client.text_document_code_action_async(
        t.CodeActionParams(
            t.TextDocumentIdentifier(cell(root, "steps")), found[0].range, t.CodeActionContext([])
        )
    )
    action = next(a for a in actions or [] if isinstance(a, t.CodeAction) and a.is_preferred)
    assert action.edit is not None
    assert list(action.edit.changes or {}) == [cell(root, "pipeline")]

    # the definition of a step lies in another cell
    text = PIPELINE
    line = next(i for i, row in enumerate(text.split("\n")) if 'step_name="Prepare"' in row)
    column = text.split("\n")[line].index('"Prepare"') + 2
    places = await client.text_document_definition_async(
        t.DefinitionParams(t.TextDocumentIdentifier(cell(root, "pipeline")), t.Position(line, column))
    )
    assert [place.uri for place in places or []] == [cell(root, "steps")]

    # a key press in a cell, then the cell goes
    start = texts[3].index("[stage]")
    row = texts[3][:start].count("\n")
    column = start - texts[3][:start].rfind("\n") - 1
    edit = t.TextDocumentContentChangePartial(
        range=t.Range(t.Position(row, column), t.Position(row, column + 7)), text="[stage, rounds]"
    )
    client.notebook_document_did_change(
        t.DidChangeNotebookDocumentParams(
            t.VersionedNotebookDocumentIdentifier(version=2, uri=uri),
            t.NotebookDocumentChangeEvent(
                cells=t.NotebookDocumentCellChanges(
                    text_content=[
                        t.NotebookDocumentCellContentChanges(
                            t.VersionedTextDocumentIdentifier(2, cell(root, "pipeline")), [edit]
                        )
                    ]
                )
            ),
        )
    )
    assert codes((await pull(client, cell(root, "steps"))).items) == []
    client.notebook_document_did_change(
        t.DidChangeNotebookDocumentParams(
            t.VersionedNotebookDocumentIdentifier(version=3, uri=uri),
            t.NotebookDocumentChangeEvent(
                cells=t.NotebookDocumentCellChanges(
                    structure=t.NotebookDocumentCellChangeStructure(
                        array=t.NotebookCellArrayChange(start=3, delete_count=1, cells=[]),
                        did_close=[t.TextDocumentIdentifier(cell(root, "pipeline"))],
                    )
                )
            ),
        )
    )
    result = await client.protocol.send_request_async(
        "stepbridge/pipelines", {"textDocument": {"uri": cell(root, "steps")}}
    )
    assert result.pipelines == []
    client.notebook_document_did_close(
        t.DidCloseNotebookDocumentParams(
            t.NotebookDocumentIdentifier(uri), [t.TextDocumentIdentifier(cell(root, n)) for n in names[:3]]
        )
    )
