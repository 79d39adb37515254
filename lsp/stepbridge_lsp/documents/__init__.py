"""Texts that may hold pipelines, read into the one model of `stepbridge_lsp.model`.

`open_document` chooses by name and content: programs, notebooks, definitions, CloudFormation templates.
"""

from __future__ import annotations

from pathlib import Path

from .cloudformation import TemplateDocument, looks_like_template
from .definition import DefinitionDocument, looks_like_definition
from .notebook import NotebookDocument
from .python import PythonDocument, key_of
from .workspace import Workspace

AnyDocument = PythonDocument | NotebookDocument | DefinitionDocument | TemplateDocument
SUFFIXES = frozenset({".py", ".ipynb", ".json", ".yaml", ".yml", ".template"})

__all__ = [
    "SUFFIXES",
    "AnyDocument",
    "DefinitionDocument",
    "NotebookDocument",
    "PythonDocument",
    "TemplateDocument",
    "Workspace",
    "open_document",
]


def open_document(
    uri: str, source: bytes, workspace: Workspace, *, language: str | None = None
) -> AnyDocument | None:
    """The document of a text; None where it holds nothing of ours.

    Args:
        uri: a URI or a path.
        language: the editor's language identifier, where it has one ("python", "json", "yaml").
    """
    suffix = Path(key_of(uri)).suffix.lower()
    if language == "python" or suffix == ".py":
        return PythonDocument(uri, source, workspace)
    if suffix == ".ipynb":
        return NotebookDocument.of_file(Path(key_of(uri)), source, workspace)
    if looks_like_template(source):
        return TemplateDocument(uri, source)
    if (suffix == ".json" or language in ("json", "jsonc")) and looks_like_definition(source):
        return DefinitionDocument(uri, source)
    return None


def is_relevant(source: bytes) -> bool:
    """Whether a Python text may concern pipelines at all: it names the SDK or boto3's pipeline calls."""
    return b"sagemaker" in source or b"stepbridge" in source
