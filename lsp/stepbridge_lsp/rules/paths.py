"""Rules on local files that a step takes along: scripts, source folders, dependencies (P106 to P108)."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    Argument,
    Call,
    Const,
    ListValue,
    PathValue,
    SdkObject,
    Value,
    is_none,
    text_of,
)

from .context import Context, label, meant, suggest
from .findings import Fix, Report
from .registry import rule

# Arguments that name local files, by the calls that take them; "" stands for the source folder's own name.
_SCRIPTS = ("code", "entry_point", "entry_script", "submit_app", "script")
_FOLDERS = ("source_dir",)


class LocalPath(Struct, frozen=True):
    """A local file that a call names. `within` is the source folder that it counts from, if there is one."""

    text: str
    span: Span
    value: Value
    name: str
    within: str | None = None


def local_paths(call: Call) -> Iterator[LocalPath]:
    """The local files that a call names, as far as they are known."""
    if call.receiver is not None and call.target.name.rpartition(".")[2] not in ("run", "register", "create"):
        return
    if _given(call.value("git_config")):
        return
    source = call.argument("source_dir")
    folder = _text(source.value) if source is not None and not is_none(source.value) else None
    if source is not None and folder is not None:
        yield LocalPath(folder, source.span, source.value, "source_dir")
    if source is not None and not is_none(source.value) and (folder is None or is_remote(folder)):
        return  # the script lies in a folder that we do not see
    for name in _SCRIPTS:
        argument = call.bound.get(name)
        if argument is not None and (text := _text(argument.value)) is not None:
            yield LocalPath(text, argument.span, argument.value, name, folder)
    dependencies = call.value("dependencies")
    if isinstance(dependencies, ListValue):
        for element in dependencies:
            if (text := _text(element.value)) is not None:
                yield LocalPath(text, element.span, element.value, "dependencies")


def local_paths_of(context: Context) -> Iterator[LocalPath]:
    """The local files that calls of a document name."""
    for call in context.calls_taking(*_SCRIPTS, *_FOLDERS):
        if context.own(call.span):
            yield from local_paths(call)


def _given(value: Value | None) -> bool:
    return value is not None and not is_none(value)


def _text(value: Value) -> str | None:
    return value.path if isinstance(value, PathValue) else text_of(value)


def is_remote(text: str) -> bool:
    """Whether it is no path at all, but an address, or blank."""
    return "://" in text or text.startswith(("s3:", "git@")) or not text.strip()


def candidates(context: Context, path: LocalPath) -> list[Path]:
    """Where a local file may lie: beside the program, in a folder above it, in the source folder."""
    inner = posixpath.join(path.within, path.text) if path.within else path.text
    if inner.startswith("/"):
        return [Path(inner)]
    return [folder / inner for folder in context.folders]


def resolve(context: Context, path: LocalPath) -> Path | None:
    """The existing file or folder that a path names; None where there is none."""
    return next((found for found in candidates(context, path) if context.workspace.exists(found)), None)


@rule(
    "P106",
    "error",
    "Missing file",
    example='processor.run(code="preproces.py")',
    source="V: FileNotFoundError; ValueError: code ... wasn't found",
    moment="build",
)
def missing_file(context: Context) -> Iterator[Report]:
    """The script, source folder or dependency does not exist: neither beside the program, nor in a folder
    above it up to the root of the workspace."""
    if context.document.folder is None:
        return
    written = _written_files(context)
    for path in context.local_paths:
        if is_remote(path.text) or "{" in path.text or not context.own(path.span):
            continue
        if posixpath.basename(path.text.rstrip("/")) in written or resolve(context, path) is not None:
            continue
        if path.within is not None and (_folder_missing(context, path) or _doubled(path)):
            continue  # reported for the folder, or as P107
        yield _missing(context, path)


def _folder_missing(context: Context, path: LocalPath) -> bool:
    folder = LocalPath(path.within or "", path.span, path.value, "source_dir")
    return resolve(context, folder) is None


def _missing(context: Context, path: LocalPath) -> Report:
    places = candidates(context, path)
    close = _near_files(context, places, path)
    fixes: tuple[Fix, ...] = ()
    if close and isinstance(path.value, Const) and (literal := context.literal(path.value)) is not None:
        head = posixpath.dirname(str(path.value.value))
        fixes = context.rename(literal, posixpath.join(head, close[0]))
    folder = context.document.folder
    certain = bool(close) or (folder is not None and _is_near(places[0], folder))
    kind = "folder" if path.name == "source_dir" else "file"
    shown = path.text if not folder else path.text.removeprefix(f"{folder}/")
    sure = bool(close) or (certain and context.document.language == "python")
    return Report(
        f'There is no {kind} "{shown}".{meant(close)}',
        path.span,
        fixes,
        close,
        severity=None if sure else "warning",
    )


def _is_near(path: Path, folder: Path) -> bool:
    """Whether a path is computed from where the program lies, and not written out for some other machine."""
    return (
        not path.is_absolute()
        or folder == path.parent
        or folder in path.parents
        or path.parent in folder.parents
    )


def _near_files(context: Context, places: list[Path], path: LocalPath) -> tuple[str, ...]:
    name = posixpath.basename(path.text.rstrip("/"))
    for place in places:
        try:
            names = sorted(entry.name for entry in place.parent.iterdir()) if place.parent.is_dir() else []
        except OSError:
            continue
        close = suggest(name, [other for other in names if other != name][:500])
        if close:
            return close
    return ()


def _written_files(context: Context) -> set[str]:
    """Names of files that the program itself writes before it builds the pipeline."""
    names = set(context.document.written_files)
    for call in context.model.foreign_calls:
        if call.name == "builtins.open" and len(call.arguments) > 1:
            mode, name = text_of(call.arguments[1].value), _text(call.arguments[0].value)
            if mode is not None and name is not None and mode[:1] in ("w", "a", "x"):
                names.add(posixpath.basename(name))
    return names


@rule(
    "P107",
    "error",
    "Entry point outside of the source folder",
    example='SKLearn(source_dir="src", entry_point="src/train.py", ...)',
    source="K: entry_point must point to a file located at the root of source_dir",
    moment="build",
)
def entry_point(context: Context) -> Iterator[Report]:
    """With `source_dir`, the entry point counts from that folder."""
    for path in context.local_paths:
        rest = _doubled(path)
        if not rest or resolve(context, path) is not None:
            continue
        literal = context.literal(path.value)
        fixes = context.rename(literal, rest, safe=True) if literal is not None else ()
        yield Report(f'{path.name} counts from source_dir: write "{rest}".', path.span, fixes)


def _doubled(path: LocalPath) -> str:
    """The rest of a path that repeats the source folder which it counts from; empty where it does not."""
    if path.within is None or path.within.startswith("/") or path.name == "dependencies":
        return ""
    prefix = _plain(f"{posixpath.normpath(path.within)}/")
    if prefix in ("/", "./", ""):
        return ""
    text = _plain(path.text)
    return text[len(prefix) :] if text.startswith(prefix) else ""


def _plain(path: str) -> str:
    return path.removeprefix("./")


@rule(
    "P108",
    "error",
    "Processor without code",
    example="ProcessingStep(name='P', step_args=script_processor.run(inputs=inputs))",
    source="E 2237, 4904: TypeError: run() missing 1 required positional argument: 'code'",
    moment="build",
)
def without_code(context: Context) -> Iterator[Report]:
    """A ScriptProcessor and its kind need `code`: the script that they run."""
    for call in context.calls("run"):
        receiver = call.receiver
        if receiver is None or receiver.kind != "processor" or call.open:
            continue
        formal = call.target.by_name.get("code")
        if formal is not None and formal.required and call.argument("code") is None:
            yield Report(f"{receiver.cls.name}.run needs code, the script to run.", call.name_span)
    for step in context.steps("Processing"):
        made, job = step.object, step.job
        if made is None or job is None or made.call.open or step.job_call is not made.call:
            continue
        if job.cls.isa("ScriptProcessor") and not _given(made.call.value("code")) and not made.attributes:
            yield Report(f"{label(step)} needs code, the script to run.", made.call.name_span)


__all__ = ["Argument", "LocalPath", "SdkObject", "local_paths", "resolve"]
