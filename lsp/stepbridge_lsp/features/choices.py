"""The values that an argument of the SDK may have: enumerations of the service, instance types of that kind
of job, framework versions, names of the pipeline's parts.

For completion and for hover; what a program or a definition writes under other names is brought here by the
callers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources

from stepbridge.definition.service import Shape, shape

from stepbridge_lsp.catalog import Framework, SdkClass, framework, framework_scopes
from stepbridge_lsp.documents.command_line import Option, options_of
from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.model import Model, Parameter, Step, items_of
from stepbridge_lsp.positions import Span
from stepbridge_lsp.rules.context import Context
from stepbridge_lsp.rules.frameworks import framework_of
from stepbridge_lsp.rules.paths import local_paths, resolve
from stepbridge_lsp.values import Call, Const, ParameterVariable, SdkObject, Value, text_of

from .target import Slot, Target


@dataclass(frozen=True)
class Choice:
    """A value that may stand in a place.

    `text` is the value itself (no quotes); `detail` a word on it; `rank` sorts (0 first); `code` says that it
    is an expression, not a string.
    """

    text: str
    detail: str = ""
    rank: int = 5
    code: bool = False
    documentation: str = ""


# Keyword -> shape of the service whose enumeration it takes, where that is the same for all calls.
_ENUMERATIONS = {
    "s3_data_type": "S3DataType",
    "s3_input_mode": "ProcessingS3InputMode",
    "s3_data_distribution_type": "ProcessingS3DataDistributionType",
    "s3_compression_type": "ProcessingS3CompressionType",
    "s3_upload_mode": "ProcessingS3UploadMode",
    "input_mode": "TrainingInputMode",
    "compression": "CompressionType",
    "compression_type": "CompressionType",
    "record_wrapping": "RecordWrapper",
    "split_type": "SplitType",
    "join_source": "JoinSource",
    "assemble_with": "AssemblyType",
    "approval_status": "ModelApprovalStatus",
    "objective_type": "HyperParameterTuningJobObjectiveType",
    "early_stopping_type": "TrainingJobEarlyStoppingType",
    "skip_model_validation": "SkipModelValidation",
    "training_input_mode": "TrainingInputMode",
    "model_approval_status": "ModelApprovalStatus",
}
_INSTANCE_SHAPES = {
    "processor": "ProcessingInstanceType",
    "estimator": "TrainingInstanceType",
    "tuner": "TrainingInstanceType",
    "transformer": "TransformInstanceType",
    "model": "ProductionVariantInstanceType",
    "pipeline-model": "ProductionVariantInstanceType",
}
_INSTANCE_WORDS = {
    "ProcessingInstanceType": "processing",
    "TrainingInstanceType": "training",
    "TransformInstanceType": "transform",
    "ProductionVariantInstanceType": "hosting",
}


def enumeration(slot: Slot) -> Iterator[Choice]:
    """What the service lists for an argument."""
    name, target = slot.name, slot.target
    if (found := instance_shape(slot)) is not None:
        yield from instance_choices(found)
    elif name == "strategy":
        shape_name = "HyperParameterTuningJobStrategyType" if target.kind == "tuner" else "BatchStrategy"
        yield from _members(shape(shape_name))
    elif name == "distribution" and target.kind == "training-input":
        yield from _members(shape("S3DataDistribution"))
    elif name in _ENUMERATIONS:
        yield from _members(shape(_ENUMERATIONS[name]))


def instance_shape(slot: Slot) -> Shape | None:
    """The shape of the instance types that an argument takes; None if it takes none."""
    name, target = slot.name, slot.target
    if name == "inference_instances":
        return shape("ProductionVariantInstanceType")
    if name == "transform_instances":
        return shape("TransformInstanceType")
    if name not in ("instance_type", "train_instance_type"):
        return None
    if target.method in ("transformer",):
        return shape("TransformInstanceType")
    if target.method in ("deploy", "create", "register", "prepare_container_def"):
        return shape("ProductionVariantInstanceType")
    found = _INSTANCE_SHAPES.get(target.kind)
    return shape(found) if found is not None else shape("TrainingInstanceType")


def instance_choices(found: Shape) -> Iterator[Choice]:
    """Instance types in the order in which people read them: family, then size."""
    word = _INSTANCE_WORDS.get(found.name, "")
    for name in _sorted_instances(found.name):
        yield Choice(name, f"for {word}" if word else "")


@cache
def _sorted_instances(shape_name: str) -> tuple[str, ...]:
    return tuple(sorted(shape(shape_name).enum, key=_instance_order))


_SIZES = ("nano", "micro", "small", "medium", "large", "xlarge")


def _instance_order(name: str) -> tuple[str, int, int, str]:
    family, _, size = name.removeprefix("ml.").partition(".")
    number = int("".join(c for c in size if c.isdigit()) or 1)
    word = size.lstrip("0123456789")
    return family, _SIZES.index(word) if word in _SIZES else len(_SIZES), number, name


def _members(found: Shape) -> Iterator[Choice]:
    for name in sorted(found.enum):
        yield Choice(name, found.name)


# -- frameworks ------------------------------------------------------------------------------------


def versions(slot: Slot) -> Iterator[Choice]:
    """Framework versions, and the Python versions that come with the chosen one; newest first."""
    name, target = slot.name, slot.target
    if target.callable.name == "retrieve":
        yield from _retrieved(slot)
        return
    found = _framework(target)
    if found is None:
        return
    framework_name = "transformers_version" if found.name == "huggingface" else "framework_version"
    if name == framework_name:
        yield from _newest_first(found.versions, f"{found.name}, {found.scope}")
    elif name == "py_version":
        chosen = text_of(target.value(framework_name))
        known = found.find(chosen) if chosen else None
        entries = [known] if known is not None else list(found.versions.values())
        pythons = {python for entry in entries for python in entry.python}
        pythons |= {p for entry in entries for listed in entry.bases.values() for p in listed}
        yield from _newest_first(pythons, f"with {found.name} {chosen}" if known and chosen else "")
    elif name in ("pytorch_version", "tensorflow_version"):
        base = name.removesuffix("_version")
        chosen = text_of(target.value(framework_name))
        known = found.find(chosen) if chosen else None
        entries = [known] if known is not None else list(found.versions.values())
        bases = {b.removeprefix(base) for entry in entries for b in entry.bases if b.startswith(base)}
        yield from _newest_first(bases, f"with transformers {chosen}" if known and chosen else "")


def _framework(target: Target) -> Framework | None:
    if target.cls is None:
        return None
    return framework_of(target.receiver or _instance(target.cls))


def _instance(cls: SdkClass) -> SdkObject:
    """An object of a class that the program has not made yet, for questions that depend on the class."""
    nowhere = Span("", 0, 0)
    return SdkObject(cls, Call(cls.init, nowhere, nowhere, nowhere))


def _retrieved(slot: Slot) -> Iterator[Choice]:
    """`image_uris.retrieve(framework=, version=, py_version=, image_scope=)`."""
    name, target = slot.name, slot.target
    if "image_uris" not in target.callable.dotted:
        return
    chosen = text_of(target.value("framework"))
    scopes = framework_scopes(chosen) if chosen else ()
    if name == "framework":
        yield from (Choice(known) for known in _frameworks())
    elif name == "image_scope":
        yield from (Choice(scope) for scope in scopes or ("training", "inference", "processing"))
    elif chosen and scopes and name in ("version", "py_version"):
        scope = text_of(target.value("image_scope"))
        found = framework(chosen, scope if scope in scopes else scopes[0])
        if found is None:
            return
        if name == "version":
            yield from _newest_first(found.versions, f"{found.name}, {found.scope}")
        else:
            known = found.find(text_of(target.value("version")) or "")
            entries = [known] if known is not None else list(found.versions.values())
            yield from _newest_first({p for entry in entries for p in entry.python}, "")


@cache
def _frameworks() -> tuple[str, ...]:
    text = resources.files("stepbridge_lsp.catalog").joinpath("frameworks.json").read_text("utf-8")
    return tuple(json.loads(text)["frameworks"])


def _newest_first(names: Iterable[str], detail: str) -> Iterator[Choice]:
    for rank, name in enumerate(sorted(names, key=_numbers, reverse=True)):
        yield Choice(name, detail, rank)


def _numbers(version: str) -> tuple[tuple[int, ...], str]:
    digits = "".join(c if c.isdigit() else " " for c in version).split()
    return tuple(int(d) for d in digits), version


# -- names of the pipeline's parts -----------------------------------------------------------------


def step_names(model: Model) -> Iterator[Choice]:
    """The names of all steps, as the service will know them."""
    for step in model.steps:
        if step.name.text is not None:
            for name in dict.fromkeys((step.name.text, *step.service_names)):
                yield Choice(name, step.type or "step", 1)


def parameter_names(model: Model) -> Iterator[Choice]:
    for parameter in model.parameters:
        if parameter.name.text is not None:
            yield Choice(parameter.name.text, described(parameter), 1)


def described(parameter: Parameter) -> str:
    """A parameter's type and default on one line: `Integer = 3`."""
    words: str = parameter.type or "parameter"
    if isinstance(parameter.default, Const):
        words += f" = {shown(parameter.default.value)}"
    return words


def shown(value: object) -> str:
    """A constant as JSON writes it, cut where it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:59]}…"


def output_names(step: Step) -> Iterator[Choice]:
    for output in step.outputs:
        if output.name is not None and output.name.text is not None:
            yield Choice(output.name.text, f"output of {step.name.shown}", 0)


def property_file_names(step: Step) -> Iterator[Choice]:
    for file in step.property_files:
        if file.name.text is not None:
            yield Choice(file.name.text, text_of(file.path) or "property file", 0)


def enum_values(parameter: Parameter) -> Iterator[Choice]:
    """The values that a parameter may have; its default first."""
    values = [text for value, _ in items_of(parameter.enum)[0] if (text := text_of(value)) is not None]
    default = text_of(parameter.default)
    for value in dict.fromkeys(values):
        yield Choice(value, "default" if value == default else f"of {parameter.name.shown}", 0)


def names(document: PythonDocument, slot: Slot) -> Iterator[Choice]:
    """Names of steps, outputs, property files and parameters, and values of parameters."""
    model = document.model
    name, callee = slot.name, slot.target.callable.name
    if name in ("step_names", "selected_steps") or (name == "depends_on" and slot.inside("[")):
        own = _own_step(model, slot)
        yield from (choice for choice in step_names(model) if own is None or choice.text != own)
    elif callee == "JsonGet" and name == "step_name":
        files = {s.name.text for s in model.steps if s.property_files}
        for choice in step_names(model):
            yield replace(choice, rank=0 if choice.text in files else 1)
    elif callee == "JsonGet" and name == "property_file":
        steps = _steps_meant(model, slot.target.value("step_name") or slot.target.value("step"))
        for step in steps or model.steps:
            yield from property_file_names(step)
    elif callee == "PropertyFile" and name == "output_name":
        for step in model.steps:
            if step.type == "Processing":
                yield from output_names(step)
    elif callee == "Pipeline.start" and name == "parameters":
        yield from _start(model, slot)
    elif slot.target.kind == "parameter" and name == "default_value":
        yield from _default_of(slot)
    elif slot.target.kind == "condition":
        yield from _compared(model, slot)


def _own_step(model: Model, slot: Slot) -> str | None:
    step = next((s for s in model.steps if s.object is not None and s.object.call is slot.target.call), None)
    return step.name.text if step is not None else None


def _steps_meant(model: Model, value: Value | None) -> list[Step]:
    if isinstance(value, SdkObject):
        step = model.step_of(value)
        return [step] if step is not None else []
    text = text_of(value)
    return list(model.steps_named(text)) if text is not None else []


def _start(model: Model, slot: Slot) -> Iterator[Choice]:
    frame = slot.inner[0] if slot.inside("{") else None
    if frame is None:
        return
    if not frame.behind_colon:
        yield from parameter_names(model)
        return
    for parameter in model.parameters:
        if parameter.name.text == frame.key:
            yield from enum_values(parameter)


def _default_of(slot: Slot) -> Iterator[Choice]:
    items, _ = items_of(slot.target.value("enum_values"))
    for value, _ in items:
        if (text := text_of(value)) is not None:
            yield Choice(text, "of enum_values", 0)


def _compared(model: Model, slot: Slot) -> Iterator[Choice]:
    """What a parameter with an enumeration is compared with."""
    other = {"left": "right", "right": "left", "in_values": "value"}.get(slot.name)
    value = slot.target.value(other) if other is not None else None
    if isinstance(value, ParameterVariable):
        parameter = model.parameter_of(value.object)
        if parameter is not None:
            yield from enum_values(parameter)


# -- the step's script -----------------------------------------------------------------------------


def hyperparameters(document: PythonDocument, slot: Slot) -> Iterator[Choice]:
    """Keys of `hyperparameters={...}` that the entry script reads, those that are given already left out."""
    if slot.name != "hyperparameters" or not slot.inside("{") or slot.inner[0].behind_colon:
        return
    call = slot.target.call
    if call is None:
        return
    given = getattr(call.value("hyperparameters"), "entries", ())
    taken = {entry.name for entry in given}
    for option in script_options(document, call):
        if option.name not in taken:
            yield Choice(option.name, option.described, 0, documentation=option.help)


def script_options(document: PythonDocument, call: Call) -> Iterator[Option]:
    """The command line options of the script that a call names."""
    context = Context(document)
    for path in local_paths(call):
        if path.name in ("source_dir", "dependencies"):
            continue
        found = resolve(context, path)
        source = document.workspace.text(str(found)) if found is not None else None
        if source is not None:
            yield from options_of(source)
