"""Diagnostics for clients that ask for them: of one document, and of all files of the workspace."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lsprotocol import types as t

from .documents.python import key_of
from .session import fingerprint, relevant

if TYPE_CHECKING:
    from .connection import Server


def pull(server: Server, params: t.DocumentDiagnosticParams) -> Any:
    uri = params.text_document.uri
    document = server.session.document(uri)
    findings = server.session.findings(uri)
    server.looked.set()
    opened = server.session.opened(uri)
    if opened is not None:
        server.rest(opened.uri, opened.version)
    server.tell_problems()
    items = server.wire.diagnostics(document, findings).get(uri, []) if document is not None else []
    state = fingerprint((), items)
    if params.previous_result_id == state:
        return t.RelatedUnchangedDocumentDiagnosticReport(state)
    return t.RelatedFullDocumentDiagnosticReport(items, result_id=state)


async def pull_workspace(server: Server, params: t.WorkspaceDiagnosticParams) -> t.WorkspaceDiagnosticReport:
    """Diagnostics of all files of the workspace; those of open documents carry their version."""
    known = {previous.uri: previous.value for previous in params.previous_result_ids}
    files = await server.workspace_files()
    listed = set(files)
    opened = (Path(key_of(uri)) for uri in server.session.open if key_of(uri).startswith("/"))
    files += [path for path in opened if path not in listed]
    token = params.work_done_token
    if token is not None:
        begin = t.WorkDoneProgressBegin("Checking pipelines", cancellable=True, percentage=0)
        server.work_done_progress.begin(token, begin)
    reports: list[Any] = []
    try:
        for number, path in enumerate(files):
            if path.suffix != ".ipynb":
                reports += _report(server, path, known)
            if token is not None and number % 20 == 19:
                percentage = 100 * (number + 1) // len(files)
                server.work_done_progress.report(token, t.WorkDoneProgressReport(percentage=percentage))
            await asyncio.sleep(0)
    finally:
        if token is not None:
            server.work_done_progress.end(token, t.WorkDoneProgressEnd())
    return t.WorkspaceDiagnosticReport(reports)


def _report(server: Server, path: Path, known: dict[str, str]) -> Iterator[Any]:
    """The report on a file; none for a file that holds nothing of ours and never did."""
    opened = next((o for o in server.session.open.values() if key_of(o.uri) == str(path)), None)
    uri = opened.uri if opened is not None else path.as_uri()
    document = server.session.document(uri)
    findings = server.session.findings(uri) if document is not None and relevant(document) else []
    if not findings and uri not in known:
        return
    items = server.wire.diagnostics(document, findings).get(uri, []) if document is not None else []
    state = fingerprint((), items)
    version = opened.version if opened is not None else None
    if known.get(uri) == state:
        yield t.WorkspaceUnchangedDocumentDiagnosticReport(uri, state, version)
    else:
        yield t.WorkspaceFullDocumentDiagnosticReport(uri, items, version, result_id=state)
