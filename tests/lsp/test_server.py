"""Every feature against the real process, as an editor uses it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import pytest_lsp
from lsprotocol import types as t
from pytest_lsp import ClientServerConfig

from tests.lsp.editor import COMMAND, Client, Editor, apply, codes, make_client
from tests.lsp.features.programs import IMPORTS, PIPELINE, PREPARE_SCRIPT, STEPS, TRAIN_SCRIPT

pytestmark = pytest.mark.asyncio(loop_scope="module")
PROGRAM = IMPORTS + STEPS + PIPELINE


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workspace")
    (folder / "train.py").write_text(TRAIN_SCRIPT)
    (folder / "prepare.py").write_text(PREPARE_SCRIPT)
    return folder


@pytest_lsp.fixture(
    scope="module", config=ClientServerConfig(server_command=COMMAND, client_factory=make_client)
)
async def client(lsp_client: Client, root: Path) -> AsyncIterator[None]:
    capabilities = t.ClientCapabilities(
        workspace=t.WorkspaceClientCapabilities(
            workspace_edit=t.WorkspaceEditClientCapabilities(document_changes=True),
            configuration=True,
            did_change_watched_files=t.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True),
        ),
        text_document=t.TextDocumentClientCapabilities(
            rename=t.RenameClientCapabilities(prepare_support=True),
            hover=t.HoverClientCapabilities(content_format=[t.MarkupKind.Markdown]),
            completion=t.CompletionClientCapabilities(
                completion_item=t.ClientCompletionItemOptions(documentation_format=[t.MarkupKind.Markdown])
            ),
        ),
    )
    await lsp_client.initialize_session(
        t.InitializeParams(capabilities=capabilities, root_uri=root.as_uri(), workspace_folders=None)
    )
    yield
    await lsp_client.shutdown_session()


@pytest_asyncio.fixture(loop_scope="module")
async def editor(client: Client, root: Path) -> AsyncIterator[Editor]:
    editor = Editor(client, root / "pipeline.py")
    await editor.open(PROGRAM)
    yield editor
    editor.close()


async def test_diagnostics_follow_the_text(editor: Editor) -> None:
    assert codes(await editor.diagnostics()) == []
    found = await editor.type("[stage, rounds]", "[stage]")
    assert codes(found) == ["P040"]
    assert editor.piece(found[0].range) == "rounds"
    assert found[0].severity == t.DiagnosticSeverity.Error
    assert found[0].source == "StepBridge"
    assert codes(await editor.type("[stage]", "[stage, rounds]")) == []


async def test_several_edits_in_one_message_count_one_after_the_other(editor: Editor) -> None:
    changes: list[Any] = []
    for old, new in (("[stage, rounds]", "[stage]"), ("[stage]", "[]"), ('"demo"', '"démo 😀"')):
        start = editor.text.index(old)
        place = t.Range(editor.at(f"|{old}"), editor.at(f"{old}|"))
        changes.append(t.TextDocumentContentChangePartial(range=place, text=new))
        editor.text = editor.text[:start] + new + editor.text[start + len(old) :]
    found = await editor.send(changes)
    assert sorted(set(codes(found))) == ["P040", "P048"]
    name = next(d for d in found if d.code == "P048")
    assert editor.piece(name.range).strip('"') == "démo 😀"


async def test_fast_typing_gives_one_set_of_diagnostics(editor: Editor) -> None:
    pushes = editor.client.pushes
    for number in range(20):
        await editor.type("\npipeline = ", f"\nx{number} = 1\npipeline = ", wait=False)
    await editor.diagnostics()
    assert editor.client.pushes - pushes < 20


async def test_hover(editor: Editor) -> None:
    found = await editor.client.text_document_hover_async(t.HoverParams(**editor.here('"St|age"')))
    assert found is not None
    assert isinstance(found.contents, t.MarkupContent)
    assert found.contents.value.startswith("**Stage**: pipeline parameter")
    assert found.range is not None
    assert editor.piece(found.range) == "Stage"


async def test_completion_and_resolve(editor: Editor) -> None:
    await editor.type("weak = Fail", "x = train.properties.\nweak = Fail")
    here = editor.here("x = train.properties.|")
    found = await editor.client.text_document_completion_async(t.CompletionParams(**here))
    assert isinstance(found, t.CompletionList)
    item = next(item for item in found.items if item.label == "ModelArtifacts")
    resolved = await editor.client.completion_item_resolve_async(item)
    assert isinstance(resolved.documentation, t.MarkupContent)
    assert "S3" in resolved.documentation.value
    assert isinstance(item.text_edit, t.TextEdit)
    assert "train.properties.ModelArtifacts\n" in apply(editor.text, [item.text_edit])


async def test_completion_in_a_string_replaces_it(editor: Editor) -> None:
    here = editor.here('instance_type="ml.|m5.large"')
    found = await editor.client.text_document_completion_async(t.CompletionParams(**here))
    assert isinstance(found, t.CompletionList)
    item = next(item for item in found.items if item.label == "ml.c5.xlarge")
    assert isinstance(item.text_edit, t.TextEdit)
    assert editor.piece(item.text_edit.range) == "ml.m5.large"


async def test_signature_help(editor: Editor) -> None:
    here = editor.here("step_args=estimator.fit(\n|")
    found = await editor.client.text_document_signature_help_async(t.SignatureHelpParams(**here))
    assert found is not None
    assert found.signatures[0].label.startswith("SKLearn.fit(inputs=None, ")
    here = editor.here('name="Che|ck"')
    found = await editor.client.text_document_signature_help_async(t.SignatureHelpParams(**here))
    assert found is not None
    assert found.active_parameter == 0


async def test_quick_fix_and_fix_all(editor: Editor) -> None:
    found = await editor.type("[stage, rounds]", "[stage]")
    params = t.CodeActionParams(editor.document, found[0].range, t.CodeActionContext(found))
    actions = await editor.client.text_document_code_action_async(params)
    action = next(
        a for a in actions or [] if isinstance(a, t.CodeAction) and a.diagnostics and a.is_preferred
    )
    assert list(action.diagnostics or []) == found
    assert codes(await editor.send([whole(editor, action)])) == []
    assert "parameters=[stage, rounds]" in editor.text

    await editor.type("[stage, rounds]", "[]")
    context = t.CodeActionContext([], only=["source.fixAll"])
    everything = t.Range(t.Position(0, 0), t.Position(0, 0))
    params = t.CodeActionParams(editor.document, everything, context)
    actions = await editor.client.text_document_code_action_async(params)
    assert [a.kind for a in actions or [] if isinstance(a, t.CodeAction)] == ["source.fixAll.stepbridge"]
    all_of_them = (actions or [])[0]
    assert isinstance(all_of_them, t.CodeAction)
    assert "P040" not in codes(await editor.send([whole(editor, all_of_them)]))


async def test_ignore_on_a_line(editor: Editor) -> None:
    found = await editor.type("[stage, rounds]", "[stage]")
    params = t.CodeActionParams(editor.document, found[0].range, t.CodeActionContext(found))
    actions = await editor.client.text_document_code_action_async(params)
    action = next(a for a in actions or [] if a.title == "Ignore P040 on this line")
    assert isinstance(action, t.CodeAction)
    assert codes(await editor.send([whole(editor, action)])) == []
    assert 'hyperparameters={"rounds": rounds},  # stepbridge: ignore[P040]\n' in editor.text


def whole(editor: Editor, action: t.CodeAction) -> t.TextDocumentContentChangeWholeDocument:
    """The text after an action, sent as a whole."""
    assert action.edit is not None
    changes = action.edit.document_changes
    assert changes is not None
    (change,) = changes
    assert isinstance(change, t.TextDocumentEdit)
    assert change.text_document.version == editor.version
    editor.text = apply(editor.text, [edit for edit in change.edits if isinstance(edit, t.TextEdit)])
    return t.TextDocumentContentChangeWholeDocument(editor.text)


async def test_make_a_literal_a_parameter(editor: Editor) -> None:
    where = editor.range('"ml.m5.large"')
    params = t.CodeActionParams(editor.document, where, t.CodeActionContext([], only=["refactor"]))
    actions = await editor.client.text_document_code_action_async(params)
    (action,) = [a for a in actions or [] if isinstance(a, t.CodeAction)]
    assert action.title == "Make this the pipeline parameter InstanceType"
    assert codes(await editor.send([whole(editor, action)])) == []
    assert (
        'instance_type = ParameterString(name="InstanceType", default_value="ml.m5.large")\n' in editor.text
    )
    assert "parameters=[stage, rounds, instance_type]" in editor.text


async def test_definition_references_and_highlight(editor: Editor, root: Path) -> None:
    client = editor.client
    found = await client.text_document_definition_async(
        t.DefinitionParams(**editor.here('step_name="Pre|pare"'))
    )
    assert [editor.piece(place.range) for place in found or []] == ["Prepare"]
    found = await client.text_document_definition_async(t.DefinitionParams(**editor.here('"tr|ain.py"')))
    assert [place.uri for place in found or []] == [(root / "train.py").as_uri()]
    params = t.ReferenceParams(t.ReferenceContext(False), **editor.here('name="Pre|pare"'))
    places = await client.text_document_references_async(params)
    assert [editor.piece(place.range) for place in places or []] == ["prepare", "Prepare", "prepare"]
    marks = await client.text_document_document_highlight_async(
        t.DocumentHighlightParams(**editor.here('name="Pre|pare"'))
    )
    assert [mark.kind for mark in marks or []].count(t.DocumentHighlightKind.Write) == 1
    assert len(marks or []) == 4


async def test_rename(editor: Editor) -> None:
    client = editor.client
    here = editor.here('name="Pre|pare"')
    prepared = await client.text_document_prepare_rename_async(t.PrepareRenameParams(**here))
    assert isinstance(prepared, t.PrepareRenamePlaceholder)
    assert prepared.placeholder == "Prepare"
    edit = await client.text_document_rename_async(t.RenameParams(new_name="Clean", **here))
    action = t.CodeAction("", edit=edit)
    assert codes(await editor.send([whole(editor, action)])) == []
    assert editor.text.count('"Clean"') == 2
    assert editor.text.count('"Prepare"') == 0
    nothing = await client.text_document_prepare_rename_async(
        t.PrepareRenameParams(**editor.here("ro|le = "))
    )
    assert nothing is None


async def test_rename_refuses_names_that_the_service_would(editor: Editor) -> None:
    from pygls.exceptions import JsonRpcException

    for name, words in (("a b", "no name for a step"), ("Train", 'a step "Train" already')):
        with pytest.raises(JsonRpcException, match=words):
            await editor.client.text_document_rename_async(
                t.RenameParams(new_name=name, **editor.here('name="Pre|pare"'))
            )


async def test_document_symbols_and_folding(editor: Editor) -> None:
    symbols = await editor.client.text_document_document_symbol_async(t.DocumentSymbolParams(editor.document))
    (pipeline,) = [s for s in symbols or [] if isinstance(s, t.DocumentSymbol)]
    assert pipeline.name == "demo"
    assert [child.name for child in pipeline.children or []] == ["Stage", "Rounds", "Prepare", "Check"]
    check = (pipeline.children or [])[-1]
    assert [child.name for child in check.children or []] == ["Train", "Weak"]
    assert editor.piece(check.selection_range) == '"Check"'
    folds = await editor.client.text_document_folding_range_async(t.FoldingRangeParams(editor.document))
    pipeline_fold = t.FoldingRange(pipeline.range.start.line, pipeline.range.end.line)
    assert pipeline_fold in (folds or [])


async def test_workspace_symbols(editor: Editor) -> None:
    found = await editor.client.workspace_symbol_async(t.WorkspaceSymbolParams("prp"))
    assert [(symbol.name, symbol.container_name) for symbol in found or []] == [("Prepare", "demo")]


async def test_inlay_hints(editor: Editor) -> None:
    everything = t.Range(t.Position(0, 0), t.Position(999, 0))
    params = t.InlayHintParams(editor.document, everything)
    found = await editor.client.text_document_inlay_hint_async(params)
    assert [hint.label for hint in found or []] == ['= "dev"', "= 3", '= "dev"']
    lines = t.Range(t.Position(0, 0), editor.at("|estimator = "))
    found = await editor.client.text_document_inlay_hint_async(t.InlayHintParams(editor.document, lines))
    assert [hint.label for hint in found or []] == ['= "dev"']


async def test_code_lenses_are_commands_of_the_editor(editor: Editor) -> None:
    found = await editor.client.text_document_code_lens_async(t.CodeLensParams(editor.document))
    commands = [lens.command for lens in found or [] if lens.command is not None]
    pipeline = [c for c in commands if list(c.arguments or []) == [editor.uri, "demo"]]
    assert [(c.title, c.command) for c in pipeline] == [
        ("Run", "stepbridge.run"),
        ("Debug", "stepbridge.debug"),
    ]
    step = [c for c in commands if list(c.arguments or []) == [editor.uri, "demo", "Train"]]
    assert [c.command for c in step] == ["stepbridge.run", "stepbridge.debug", "stepbridge.attach"]


async def test_document_links(editor: Editor, root: Path) -> None:
    found = await editor.client.text_document_document_link_async(t.DocumentLinkParams(editor.document))
    assert [(editor.piece(link.range), link.target) for link in found or []] == [
        ("prepare.py", (root / "prepare.py").as_uri()),
        ("train.py", (root / "train.py").as_uri()),
    ]


async def test_semantic_tokens(editor: Editor) -> None:
    params = t.SemanticTokensParams(editor.document)
    found = await editor.client.text_document_semantic_tokens_full_async(params)
    assert found is not None
    pieces = []
    line = character = 0
    for delta, start, length, kind, _ in zip(*[iter(found.data)] * 5, strict=True):
        line, character = line + delta, start if delta else character + start
        where = t.Range(t.Position(line, character), t.Position(line, character + length))
        pieces.append((editor.piece(where), kind))
    assert ("stage", 0) in pieces
    assert ("ProcessingOutputConfig", 1) in pieces
    assert ("score", 2) in pieces
    assert ("session", 2) not in pieces


async def test_pipelines_for_other_tools(editor: Editor, root: Path) -> None:
    result = await editor.client.protocol.send_request_async(
        "stepbridge/pipelines", {"textDocument": {"uri": editor.uri}}
    )
    (pipeline,) = result.pipelines
    assert (pipeline.name, pipeline.variable) == ("demo", "pipeline")
    assert not hasattr(pipeline, "function")
    prepare, check, train, weak = pipeline.steps
    assert (prepare.name, prepare.kind) == ("Prepare", "Processing")
    assert prepare.script == (root / "prepare.py").as_uri()
    assert prepare.outputs == ["train", "evaluation"]
    assert train.inputs == ["train"]
    assert train.branch == ["Check", True]
    assert weak.branch == ["Check", False]
    assert not hasattr(check, "branch")
    edges = {(edge.source, edge.target, edge.kind) for edge in pipeline.edges}
    assert edges == {
        ("Prepare", "Train", "data"),
        ("Prepare", "Check", "property-file"),
        ("Check", "Train", "branch"),
        ("Check", "Weak", "branch"),
    }
    stage, rounds = pipeline.parameters
    assert (stage.name, stage.type, stage.default, stage.enum) == ("Stage", "String", "dev", ["dev", "prod"])
    assert (rounds.name, rounds.type, rounds.default) == ("Rounds", "Integer", 3)
    name = pipeline.steps[0].nameRange
    assert editor.text.split("\n")[name.start.line][name.start.character : name.end.character] == '"Prepare"'


async def test_files_are_watched(client: Client) -> None:
    globs = {
        watcher["globPattern"]
        for registration in client.registrations
        for watcher in registration.register_options["watchers"]
    }
    assert {"**/*.py", "**/stepbridge.toml"} <= globs


async def test_a_document_that_is_none_of_ours(client: Client, root: Path) -> None:
    editor = Editor(client, root / "package.json", "json")
    assert await editor.open('{"name": "x"}') == []
    assert await client.text_document_hover_async(t.HoverParams(**editor.here('"na|me"'))) is None
    found = await editor.type('"name": "x"', '"Version": "2020-12-02", "Steps": []')
    assert codes(found) == ["J002", "J004"]
    assert codes(await editor.type('"Steps": []', "")) == []
    editor.close()


async def test_a_broken_program_keeps_its_features(editor: Editor) -> None:
    await editor.type("[stage, rounds]", "[stage, rou")
    symbols = await editor.client.text_document_document_symbol_async(t.DocumentSymbolParams(editor.document))
    names = {s.name for s in symbols or [] if isinstance(s, t.DocumentSymbol)}
    assert names & {"demo", "Prepare", "Train"}
    params = t.CompletionParams(**editor.here("parameters=[stage, rou|"))
    found = await editor.client.text_document_completion_async(params)
    assert isinstance(found, t.CompletionList)
    assert "rounds" in [item.label for item in found.items]
