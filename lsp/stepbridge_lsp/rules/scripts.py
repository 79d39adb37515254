"""Hints across the border that nobody checks: a step against the script that it runs (S001 to S006).

The script is read, never run. Where it parses its arguments somewhere else, or takes whatever comes, nothing
is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from stepbridge_lsp.documents.command_line import Option, options_of
from stepbridge_lsp.model import Step
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import Const, DictValue, ListValue, text_of

from .context import Context, label, meant, suggest
from .findings import Report
from .paths import is_remote, local_paths, resolve
from .registry import rule

_CHANNEL = re.compile(rb"SM_CHANNEL_([A-Z0-9_]+)|/opt/ml/input/data/([A-Za-z0-9_.-]+)")
_PROCESSING = re.compile(rb"/opt/ml/processing/[A-Za-z0-9_./-]+")
_OWN_FOLDERS = ("/opt/ml/processing/input/code", "/opt/ml/processing/config")
_NOT_CHANNELS = frozenset({"code", "sm_drivers", "config"})


class Script(Struct, frozen=True):
    """The script of a step. `around`: it and the modules beside it, in which it may do the same work."""

    path: Path
    source: bytes
    around: bytes
    span: Span

    @property
    def options(self) -> tuple[Option, ...]:
        return options_of(self.source)

    @property
    def strict(self) -> bool:
        """It refuses options that it does not know."""
        return b".parse_args(" in self.source and b"parse_known_args" not in self.around


def script_of(context: Context, step: Step) -> Script | None:
    """The local script that a step runs; None where it has none that we can read."""
    if id(step) not in context.scripts:
        context.scripts[id(step)] = _find_script(context, step)
    return context.scripts[id(step)]


def _find_script(context: Context, step: Step) -> Script | None:
    calls = [call for call in (step.job_call, step.job.call if step.job else None) if call is not None]
    for call in calls:
        for path in local_paths(call):
            if path.name not in ("code", "entry_point", "entry_script") or is_remote(path.text):
                continue
            found = resolve(context, path)
            if found is None or found.suffix != ".py":
                continue
            source = context.workspace.text(str(found))
            if source is not None:
                return Script(found, source, _around(context, found), path.span)
    return None


def _around(context: Context, path: Path) -> bytes:
    try:
        siblings = sorted(path.parent.rglob("*.py"))[:60]
    except OSError:
        siblings = [path]
    return b"\n".join(context.workspace.text(str(sibling)) or b"" for sibling in siblings)


def _scripts(context: Context, *types: str) -> Iterator[tuple[Step, Script]]:
    for step in context.steps(*types):
        made = step.object
        if made is None or not context.own(made.call.span) or made.changed or (step.job and step.job.changed):
            continue
        script = script_of(context, step)
        if script is not None:
            yield step, script


def _hyperparameters(step: Step) -> tuple[dict[str, Span], bool]:
    """Names of hyperparameters with their places, and whether there may be others."""
    names: dict[str, Span] = {}
    if step.job is None or step.job.kind != "estimator":
        return names, True
    given = step.job.call.value("hyperparameters")
    is_open = step.job.call.open or (given is not None and not isinstance(given, DictValue | Const))
    if isinstance(given, DictValue):
        is_open = is_open or given.open or any(entry.name is None for entry in given.entries)
        names |= {entry.name: entry.key_span for entry in given.entries if entry.name is not None}
    for call in step.job.calls:
        if call.target.name.endswith(".set_hyperparameters"):
            is_open = is_open or call.open
            names |= {a.name: a.name_span or a.span for a in call.arguments if a.name is not None}
    return names, is_open


def _read_by(name: str, options: tuple[Option, ...]) -> bool:
    """Whether argparse takes `--name`: as it is, or as the beginning of a single option."""
    known = [option.name.lstrip("-") for option in options]
    return name in known or sum(other.startswith(name) for other in known) == 1


@rule(
    "S001",
    "hint",
    "Hyperparameter that the script does not read",
    example='SKLearn(entry_point="train.py", hyperparameters={"epoch": 3})  # add_argument("--epochs")',
    source="the training toolkit hands hyperparameters over as options; argparse refuses unknown ones",
    moment="run",
)
def unread_hyperparameter(context: Context) -> Iterator[Report]:
    """The entry script reads its options with argparse, and has none of this name: the job would end with
    "unrecognized arguments"."""
    for step, script in _scripts(context, "Training"):
        names, _ = _hyperparameters(step)
        if not script.options or not script.strict:
            continue
        for name, span in names.items():
            if not _read_by(name, script.options):
                close = suggest(name, [option.name.lstrip("-") for option in script.options])
                yield Report(f'{script.path.name} does not read "--{name}".{meant(close)}', span, (), close)


@rule(
    "S002",
    "hint",
    "Required option that the step does not pass",
    example='SKLearn(entry_point="train.py")  # add_argument("--epochs", required=True)',
    source="argparse: the following arguments are required",
    moment="run",
)
def missing_hyperparameter(context: Context) -> Iterator[Report]:
    """The entry script requires an option, and the step passes no hyperparameter of this name."""
    for step, script in _scripts(context, "Training"):
        names, is_open = _hyperparameters(step)
        if is_open:
            continue
        for option in script.options:
            name = option.name.lstrip("-")
            if option.required and not option.default and name not in names:
                yield Report(f'{script.path.name} requires "--{name}".', script.span)


@rule(
    "S003",
    "hint",
    "Argument that the script does not read",
    example='processor.run(code="prepare.py", arguments=["--ration", "0.2"])  # add_argument("--ratio")',
    source="argparse refuses unknown options",
    moment="run",
)
def unread_argument(context: Context) -> Iterator[Report]:
    """The script of a processing step reads its options with argparse, and has none of this name."""
    for step, script in _scripts(context, "Processing"):
        value = step.job_call.value("arguments", "job_arguments") if step.job_call is not None else None
        if not isinstance(value, ListValue) or not script.options or not script.strict:
            continue
        for element in value:
            text = text_of(element.value)
            if text is None or not text.startswith("--") or len(text) < 3:
                continue
            name = text[2:].split("=")[0]
            if not _read_by(name, script.options):
                close = suggest(name, [option.name.lstrip("-") for option in script.options])
                yield Report(f'{script.path.name} does not read "--{name}".{meant(close)}', element.span)


@rule(
    "S004",
    "hint",
    "Channel that the step does not have",
    example='os.environ["SM_CHANNEL_VALIDATION"]  # and the step has only "train"',
    source="container contract: a channel is a folder and a variable for each input",
    moment="run",
)
def missing_channel(context: Context) -> Iterator[Report]:
    """The entry script uses a channel, by its variable or its folder, that the step does not declare."""
    for step, script in _scripts(context, "Training"):
        names = [channel.name.text if channel.name is not None else None for channel in step.inputs]
        if step.open_inputs or None in names or not names:
            continue
        known = {name.upper().replace("-", "_") for name in names if name is not None}
        used = {(m[1] or m[2]).decode().upper().replace("-", "_") for m in _CHANNEL.finditer(script.source)}
        for name in sorted(used - known):
            if name.lower() not in _NOT_CHANNELS:
                shown = ", ".join(sorted(n for n in names if n))
                yield Report(
                    f'{script.path.name} uses the channel "{name.lower()}"; there is {shown}.', script.span
                )


@rule(
    "S005",
    "hint",
    "Path that the step does not have",
    example='Path("/opt/ml/processing/tset")  # and the outputs are train and test',
    source="container contract: only declared paths are mounted or uploaded",
    moment="run",
)
def missing_path(context: Context) -> Iterator[Report]:
    """The script uses a folder under /opt/ml/processing that is no input or output of the step: what it
    writes there is lost."""
    for step, script in _scripts(context, "Processing"):
        if step.open_inputs or step.open_outputs:
            continue
        declared = [text_of(item.destination) for item in step.inputs]
        declared += [text_of(item.source) for item in step.outputs]
        if None in declared or not declared:
            continue
        known = [path.rstrip("/") for path in (*declared, *_OWN_FOLDERS) if path is not None]
        used = {match[0].decode().rstrip("/.") for match in _PROCESSING.finditer(script.source)}
        for path in sorted(used):
            if not any(_related(path, other) for other in known):
                close = suggest(path, known)
                yield Report(
                    f"{script.path.name} uses {path}, which is no input or output.{meant(close)}", script.span
                )


def _related(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")


@rule(
    "S006",
    "hint",
    "Property file that the script does not write",
    example='PropertyFile(name="R", output_name="o", path="evaluation.json")  # the script: "eval.json"',
    source="JsonGet fails where the file is missing",
    moment="run",
)
def unwritten_file(context: Context) -> Iterator[Report]:
    """The name of the property file stands nowhere in the script, nor in the modules beside it."""
    for step, script in _scripts(context, "Processing"):
        for file in step.property_files:
            path = text_of(file.path)
            argument = file.object.call.argument("path") if file.object is not None else None
            name = path.rpartition("/")[2] if path is not None else ""
            stem = name.rpartition(".")[0] or name
            if argument is None or not name or stem.encode() in script.around:
                continue
            yield Report(f'{label(step)}: {script.path.name} does not write "{name}".', argument.span)
