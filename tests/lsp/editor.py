"""An editor for tests: drives the real language server and waits for what it says."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from lsprotocol import types as t
from pygls.protocol import default_converter
from pytest_lsp import LanguageClient
from pytest_lsp.client import DEFAULT_CLIENT_FEATURES, register_lsp_features

COMMAND = [sys.executable, "-m", "stepbridge", "lsp"]


class Client(LanguageClient):
    """A client that remembers every set of diagnostics with its version."""

    def __init__(self) -> None:
        super().__init__(converter_factory=default_converter)
        self.published: dict[str, t.PublishDiagnosticsParams] = {}
        self.pushes = 0
        self.news = asyncio.Condition()
        self.registrations: list[t.Registration] = []


async def _publish(client: Client, params: t.PublishDiagnosticsParams) -> None:
    async with client.news:
        client.published[params.uri] = params
        client.pushes += 1
        client.news.notify_all()


def _register(client: Client, params: t.RegistrationParams) -> None:
    client.registrations += params.registrations


def make_client() -> Client:
    client = Client()
    features: dict[str, Any] = dict(DEFAULT_CLIENT_FEATURES)
    features[t.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS] = _publish
    features[t.CLIENT_REGISTER_CAPABILITY] = _register
    register_lsp_features(client, features)
    return client


def position(text: str, offset: int) -> t.Position:
    """The position of a character, in UTF-16."""
    before = text[:offset]
    line = before[before.rfind("\n") + 1 :]
    return t.Position(before.count("\n"), len(line.encode("utf-16-le")) // 2)


class Editor:
    """One open text."""

    def __init__(self, client: Client, path: Path, language: str = "python") -> None:
        self.client = client
        self.path = path
        self.uri = path.as_uri()
        self.language = language
        self.text = ""
        self.version = 0

    @property
    def document(self) -> t.TextDocumentIdentifier:
        return t.TextDocumentIdentifier(self.uri)

    async def open(self, text: str, *, wait: bool = True) -> list[t.Diagnostic]:
        self.text = text
        self.version = 1
        self.client.text_document_did_open(
            t.DidOpenTextDocumentParams(t.TextDocumentItem(self.uri, self.language, self.version, text))
        )
        return await self.diagnostics() if wait else []

    async def type(self, place: str, text: str, *, wait: bool = True) -> list[t.Diagnostic]:
        """Replace the first occurrence of `place` by `text`."""
        start = self.text.index(place)
        change = t.TextDocumentContentChangePartial(
            range=t.Range(position(self.text, start), position(self.text, start + len(place))), text=text
        )
        self.text = self.text[:start] + text + self.text[start + len(place) :]
        return await self.send([change], wait=wait)

    async def send(self, changes: list[Any], *, wait: bool = True) -> list[t.Diagnostic]:
        self.version += 1
        identifier = t.VersionedTextDocumentIdentifier(self.version, self.uri)
        self.client.text_document_did_change(t.DidChangeTextDocumentParams(identifier, changes))
        return await self.diagnostics() if wait else []

    async def diagnostics(self) -> list[t.Diagnostic]:
        """Those of the present version."""
        return await published(self.client, self.uri, self.version)

    def close(self) -> None:
        self.client.text_document_did_close(t.DidCloseTextDocumentParams(self.document))

    def at(self, place: str, skip: int = 0) -> t.Position:
        """The position of the `|` in a piece of the text."""
        before, _, after = place.partition("|")
        found = -1
        for _ in range(skip + 1):
            found = self.text.index(before + after, found + 1)
        return position(self.text, found + len(before))

    def here(self, place: str, skip: int = 0) -> dict[str, Any]:
        """The arguments of a request on a place."""
        return {"text_document": self.document, "position": self.at(place, skip)}

    def range(self, piece: str) -> t.Range:
        start = self.text.index(piece)
        return t.Range(position(self.text, start), position(self.text, start + len(piece)))

    def piece(self, where: t.Range) -> str:
        """The text of a range."""
        lines = self.text.split("\n")
        if where.start.line == where.end.line:
            line = lines[where.start.line].encode("utf-16-le")
            return line[2 * where.start.character : 2 * where.end.character].decode("utf-16-le")
        first = lines[where.start.line].encode("utf-16-le")[2 * where.start.character :].decode("utf-16-le")
        last = lines[where.end.line].encode("utf-16-le")[: 2 * where.end.character].decode("utf-16-le")
        return "\n".join([first, *lines[where.start.line + 1 : where.end.line], last])


async def published(client: Client, uri: str, version: int | None) -> list[t.Diagnostic]:
    """Diagnostics of a URI, as soon as those of a version are there."""

    def there() -> bool:
        found = client.published.get(uri)
        return found is not None and found.version == version

    async with client.news:
        await asyncio.wait_for(client.news.wait_for(there), 60)
    return list(client.published[uri].diagnostics)


def codes(diagnostics: list[t.Diagnostic]) -> list[str]:
    return [str(diagnostic.code) for diagnostic in diagnostics]


def apply(text: str, edits: list[t.TextEdit]) -> str:
    """A text with edits done, as an editor does them."""
    lines = text.split("\n")

    def index(place: t.Position) -> int:
        line = lines[place.line].encode("utf-16-le")[: 2 * place.character].decode("utf-16-le")
        return sum(len(line) + 1 for line in lines[: place.line]) + len(line)

    for edit in sorted(edits, key=lambda e: (index(e.range.start), index(e.range.end)), reverse=True):
        text = text[: index(edit.range.start)] + edit.new_text + text[index(edit.range.end) :]
    return text
