"""Rules on imports of the SDK and on what its majors share and do not (P160, P161)."""

from __future__ import annotations

from collections.abc import Iterator

from stepbridge_lsp.catalog import MAJORS, Major, catalog
from stepbridge_lsp.model import Import
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import is_none

from .context import Context, meant, suggest
from .findings import Fix, Report, TextEdit
from .registry import rule


@rule(
    "P160",
    "error",
    "Import that the SDK does not have",
    example="from sagemaker.mlops.pipeline import Pipeline",
    source="the SDKs' own modules; the migration guide names modules that do not exist",
    moment="import",
)
def unknown_import(context: Context) -> Iterator[Report]:
    """The module or name does not exist in the major version of the SDK that the workspace has installed, or
    else in neither of the two. A program that is written for the other major altogether gets one note."""
    installed = context.workspace.installed_major()
    if installed is not None and context.model.sdk not in (installed, None):
        yield from _other_major(context, installed)
        installed = None
    for found in context.model.imports:
        if not _of_sdk(found):
            continue
        majors: tuple[Major, ...] = (installed,) if installed is not None else MAJORS
        having = [major for major in majors if found.module in catalog(major).modules]
        if not having:
            yield _missing_module(context, found, majors)
        elif found.name is not None and found.name != "*" and not _has_name(found, having):
            yield _missing_name(context, found, having)


def _of_sdk(found: Import) -> bool:
    if found.guarded or not (found.module == "sagemaker" or found.module.startswith("sagemaker.")):
        return False
    return found.resolved is None or not found.resolved.startswith("/")


def _other_major(context: Context, installed: Major) -> Iterator[Report]:
    """One note for a program of the other major, with the imports that could move."""
    foreign = [f for f in context.model.imports if _of_sdk(f) and f.module not in catalog(installed).modules]
    if not foreign:
        return
    targets: dict[Span, set[str | None]] = {}
    for found in foreign:
        targets.setdefault(found.module_span, set()).add(_elsewhere(found, (installed,)))
    edits = [
        TextEdit(span, module)
        for span, modules in targets.items()
        for module in modules
        if len(modules) == 1 and module is not None and context.own(span)
    ]
    fixes = (Fix(f"Import from SDK {installed}", tuple(edits), False),) if edits else ()
    message = f"This program is written for SDK {context.model.sdk}, and the workspace has SDK {installed}."
    yield Report(message, foreign[0].module_span, fixes, severity="information")


def _has_name(found: Import, majors: list[Major]) -> bool:
    assert found.name is not None
    for major in majors:
        sdk = catalog(major)
        names = sdk.names(found.module)
        if names is None or found.name in names or f"{found.module}.{found.name}" in sdk.modules:
            return True
    return False


def _missing_module(context: Context, found: Import, majors: tuple[Major, ...]) -> Report:
    where = _elsewhere(found, majors)
    if where is not None:
        fixes = _move(context, found, where)
        message = f"There is no module {found.module}: {found.name} is in {where}."
        return Report(message, found.module_span, fixes, (where,))
    known = {module for major in majors for module in catalog(major).modules}
    parent = found.module.rpartition(".")[0]
    close = suggest(found.module, [m for m in known if m.rpartition(".")[0] == parent])
    close = close or suggest(found.module, known)
    fixes = context.replace(found.module_span, close[0], f"Import from {close[0]}") if close else ()
    severity = None if close or _inside_known(found.module, known) else "warning"
    message = f"The SDK has no module {found.module}.{meant(close)}"
    return Report(message, found.module_span, fixes, close, severity=severity)  # type: ignore[arg-type]


def _inside_known(module: str, known: set[str]) -> bool:
    return module.startswith(("sagemaker.workflow.", "sagemaker.mlops.workflow.", "sagemaker.core.workflow."))


def _missing_name(context: Context, found: Import, having: list[Major]) -> Report:
    assert found.name is not None
    where = _elsewhere(found, tuple(having))
    if where is not None:
        message = f"{found.module} has no {found.name}: it is in {where}."
        return Report(message, found.span, _move(context, found, where), (where,))
    names: set[str] = set()
    for major in having:
        names |= catalog(major).names(found.module) or frozenset()
    close = suggest(found.name, sorted(name for name in names if not name.startswith("_")))
    edit = context.text(found.span)
    plain = edit == found.name
    fixes = context.rename(found.span, close[0]) if close and plain else ()
    message = f"{found.module} has no {found.name}.{meant(close)}"
    return Report(message, found.span, fixes, close, severity=None if close else "warning")


def _elsewhere(found: Import, majors: tuple[Major, ...]) -> str | None:
    """The module that does have the name, preferring one that looks like what is written."""
    if found.name is None:
        return None
    parts = set(found.module.split("."))
    ranked: list[tuple[int, int, str]] = []
    for major in majors:
        for place, module in enumerate(catalog(major).modules_with(found.name)):
            if module != found.module:
                ranked.append((len(parts & set(module.split("."))), -place, module))
    return max(ranked)[2] if ranked else None


def _move(context: Context, found: Import, where: str) -> tuple[Fix, ...]:
    """Import from another module: the whole statement where it imports nothing else, else a statement of its
    own.
    """
    siblings = [item for item in context.model.imports if item.module_span == found.module_span]
    if len(siblings) == 1:
        return context.replace(found.module_span, where, f"Import from {where}")
    if not context.own(found.span):
        return ()
    start = context.source.rfind(b"\n", 0, found.module_span.start) + 1
    text = f"from {where} import {context.text(found.span)}\n"
    span = found.module_span._replace(start=start, end=start)
    return (Fix(f"Import from {where}", (TextEdit(span, text), *_removed(context, found))),)


def _removed(context: Context, found: Import) -> tuple[TextEdit, ...]:
    start, end = found.span.start, found.span.end
    after = context.source[end : end + 2]
    if after.startswith(b","):
        end += 2 if after == b", " else 1
    else:
        before = context.source[:start].rstrip()
        if not before.endswith(b","):
            return ()
        start = len(before) - 1
    return (TextEdit(found.span._replace(start=start, end=end), ""),)


@rule(
    "P161",
    "error",
    "Steps of SDK v3",
    example='TrainingStep(name="T", estimator=model_trainer)  # sagemaker.mlops.workflow.steps',
    source="K v3 steps.py: TypeError, ValueError: step_args input is required.",
    moment="build",
)
def v3_steps(context: Context) -> Iterator[Report]:
    """Steps of SDK v3 take `step_args` only: `model_trainer.train(...)`, `processor.run(...)`."""
    for step in context.model.steps:
        made = step.object
        if made is None or made.cls.major != "v3" or "step_args" not in made.call.target.by_name:
            continue
        old = [a for a in made.call.surplus if a.name in ("estimator", "processor", "transformer", "model")]
        for argument in old:
            where = argument.name_span or argument.span
            yield Report(f"{made.cls.name} of SDK v3 has no {argument.name}: pass step_args.", where)
        given = made.call.value("step_args")
        if not old and (given is None or is_none(given)):
            yield Report(f"{made.cls.name} needs step_args.", made.call.name_span)
