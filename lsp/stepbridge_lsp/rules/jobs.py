"""Rules on the jobs of steps: how they are made and handed to a step (P090 to P105), by the program and by
the rules on definitions that a program can break as well."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from stepbridge_lsp.model import Step
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    Call,
    Const,
    DictValue,
    ListValue,
    ParameterVariable,
    SdkObject,
    StepArguments,
    Value,
    Variable,
    is_none,
    text_of,
)

from .context import Context, label
from .findings import Fix, Report, TextEdit
from .registry import rule
from .translation import Translated
from .variables import described

# Step class -> kinds of receivers, methods and the words for what gives its step_args.
_SOURCES: dict[str, tuple[frozenset[str], frozenset[str], str]] = {
    "TrainingStep": (frozenset({"estimator"}), frozenset({"fit", "train"}), "estimator.fit()"),
    "ProcessingStep": (frozenset({"processor"}), frozenset({"run"}), "processor.run()"),
    "TransformStep": (
        frozenset({"transformer"}),
        frozenset({"transform", "transform_with_monitoring"}),
        "transformer.transform()",
    ),
    "TuningStep": (frozenset({"tuner"}), frozenset({"fit", "tune"}), "tuner.fit()"),
    "AutoMLStep": (frozenset({"automl"}), frozenset({"fit"}), "auto_ml.fit()"),
    "ModelStep": (
        frozenset({"model", "pipeline-model", "estimator"}),
        frozenset({"create", "register", "build"}),
        "model.create() or model.register()",
    ),
    "CreateModelStep": (frozenset({"model", "pipeline-model"}), frozenset({"create"}), "model.create()"),
}
_OLD_STYLE = {
    "TrainingStep": "estimator",
    "ProcessingStep": "processor",
    "TransformStep": "transformer",
    "TuningStep": "tuner",
    "CreateModelStep": "model",
}


@rule(
    "P090",
    "error",
    "step_args of another kind of job",
    example='ProcessingStep(name="P", step_args=estimator.fit())',
    source="V: ValueError: The step_args of ProcessingStep must be obtained from processor.run().",
    moment="build",
)
def wrong_step_args(context: Context) -> Iterator[Report]:
    """`step_args` of a step comes from the call that makes this kind of job."""
    for step in context.model.steps:
        made = step.object
        expected = _SOURCES.get(made.cls.name) if made is not None else None
        argument = made.call.argument("step_args") if made is not None else None
        if expected is None or argument is None or made is None:
            continue
        kinds, methods, words = expected
        if made.cls.major == "v3" and made.cls.name == "TrainingStep":
            words = "model_trainer.train()"
        value = argument.value
        if isinstance(value, StepArguments):
            receiver = value.call.receiver
            method = value.call.target.name.rpartition(".")[2]
            if receiver is not None and (receiver.kind not in kinds or method not in methods):
                yield Report(f"{made.cls.name} takes what {words} returns.", argument.span)
        elif isinstance(value, SdkObject) and value.kind in kinds:
            message = f"{made.cls.name} takes what {words} returns, not the {value.cls.name} itself."
            yield Report(message, argument.span)


@rule(
    "P091",
    "error",
    "Job without a pipeline session",
    example="step_args = Estimator(image_uri, role).fit()  # starts a training job, now",
    source="D: the SDK's guide warns; E 4471, 3588",
    moment="run",
)
def without_pipeline_session(context: Context) -> Iterator[Report]:
    """A processor, estimator, model, transformer or tuner whose `step_args` a step takes needs
    `sagemaker_session=PipelineSession()`. With an ordinary session, or none, the call starts the job at
    once, which costs money, and the step gets nothing."""
    for step in context.model.steps:
        call, job = step.job_call, step.job
        if call is None or job is None or not isinstance(call.result, StepArguments) or job.changed:
            continue
        if step.object is None or not isinstance(step.object.get("step_args"), StepArguments):
            continue
        owner, session = _session_of(job)
        if owner is None or not _starts_now(session):
            continue
        absent = session is None or is_none(session)
        what = "no session" if absent else "an ordinary session"
        related = ((owner.call.name_span, f"made here with {what}"),)
        yield Report(
            f"This starts the job now: {owner.cls.name} has {what}, and needs a PipelineSession.",
            call.name_span if context.own(call.name_span) else step.name.span,
            _session_fix(context, owner),
            related=related,
        )


def _session_of(job: SdkObject) -> tuple[SdkObject | None, Value | None]:
    """The object whose session counts, and the session."""
    if job.kind == "tuner":
        estimator = job.get("estimator")
        return _session_of(estimator) if isinstance(estimator, SdkObject) else (None, None)
    if "sagemaker_session" not in job.call.target.by_name:
        return None, None
    return job, job.get("sagemaker_session")


def _starts_now(session: Value | None) -> bool:
    if session is None or is_none(session):
        return True
    return isinstance(session, SdkObject) and session.kind in ("session", "local-session")


def _session_fix(context: Context, owner: SdkObject) -> tuple[Fix, ...]:
    known = [
        made.variable
        for made in context.objects("pipeline-session", "local-pipeline-session")
        if made.variable is not None
    ]
    if not known or not context.own(owner.call.span):
        return ()
    given = owner.call.argument("sagemaker_session")
    title = f"Pass sagemaker_session={known[0]}"
    if given is not None:
        return context.replace(given.span, known[0], title)
    return (Fix(title, (add_keyword(context, owner.call, f"sagemaker_session={known[0]}"),)),)


def add_keyword(context: Context, call: Call, text: str) -> TextEdit:
    """The edit that adds a keyword argument to a call, on a line of its own where the others have theirs."""
    span = call.arguments_span
    inside = context.text(span)[1:-1]
    kept = inside.rstrip()
    at = span.start + 1 + len(kept.encode())
    comma = "" if not kept or kept.endswith(",") else ","
    if "\n" in inside:
        last = kept.rsplit("\n", 1)[-1]
        indent = last[: len(last) - len(last.lstrip())]
        return TextEdit(Span(span.document, at, at), f"{comma}\n{indent}{text},")
    space = " " if kept else ""
    return TextEdit(Span(span.document, at, at), f"{comma}{space}{text}")


@rule(
    "P092",
    "error",
    "Both or none of step_args and the job",
    example='TrainingStep(name="T")',
    source="V: ValueError: Either step_args or estimator need to be given",
    moment="build",
)
def job_of_step(context: Context) -> Iterator[Report]:
    """A step of SDK v2 gets its job in one of two ways: `step_args`, or the processor, estimator,
    transformer, tuner or model itself."""
    for step in context.model.steps:
        made = step.object
        if made is None or made.cls.major != "v2" or made.cls.name not in _OLD_STYLE or made.call.open:
            continue
        name = _OLD_STYLE[made.cls.name]
        given = [n for n in ("step_args", name) if _given(made.call, n)]
        if len(given) == 2:
            message = f"Give either step_args or {name}, not both."
            argument = made.call.argument(name)
            yield Report(message, argument.span if argument else made.call.name_span)
        elif not given:
            yield Report(f"{made.cls.name} needs step_args.", made.call.name_span)


def _given(call: Call, name: str) -> bool:
    argument = call.argument(name)
    return argument is not None and not is_none(argument.value)


@rule(
    "P093",
    "hint",
    "Deprecated way to make a step",
    example='TrainingStep(name="T", estimator=estimator, inputs=inputs)',
    source="K: DeprecationWarning",
    moment="build",
)
def deprecated(context: Context) -> Iterator[Report]:
    """Steps made of a processor or estimator, `CreateModelStep`, `RegisterModel` and
    `condition_step.JsonGet` work, and are deprecated: `step_args`, `ModelStep` and `functions.JsonGet` are
    their successors."""
    for step in context.model.steps:
        made = step.object
        if made is None or made.cls.major != "v2":
            continue
        name = _OLD_STYLE.get(made.cls.name)
        if made.cls.name in ("RegisterModel", "CreateModelStep", "EstimatorTransformer"):
            message = f"{made.cls.name} is deprecated: use ModelStep."
            yield Report(message, made.call.name_span, deprecated=True)
        elif name is not None and _given(made.call, name):
            words = _SOURCES[made.cls.name][2]
            message = f"{made.cls.name}({name}=...) is deprecated: pass step_args={words}."
            yield Report(message, made.call.name_span, deprecated=True)
    for made in context.made("JsonGet"):
        if made.cls.dotted.endswith("condition_step.JsonGet"):
            message = "This JsonGet is deprecated: use that of sagemaker.workflow.functions, with step_name."
            yield Report(message, made.call.name_span, deprecated=True)


_SOURCE_ARGUMENTS = ("git_config", "code")


@rule(
    "P094",
    "error",
    "Pipeline variable where the SDK needs a value",
    example='SKLearn(entry_point=ParameterString("Script"), ...)',
    source="K fw_utils.py, processing.py, image_uris.py; E 3078, 4918, 3024",
    moment="build",
)
def compile_time_value(context: Context) -> Iterator[Report]:
    """The SDK reads `code`, `entry_point`, `git_config`, framework versions and the arguments of
    `image_uris.retrieve` while the program runs. A parameter among the latter is replaced by its default,
    which is not what a later value
    needs: a CPU image for a GPU instance, for example."""
    for name in _SOURCE_ARGUMENTS:
        for call in context.calls_taking(name):
            yield from _refused(call, name)
    for call in context.calls_taking("entry_point"):
        if call.receiver is None and not call.target.name.endswith("Step"):
            yield from _entry_point(call)
    for call in (*context.calls("retrieve"), *context.calls_taking("framework_version")):
        yield from _image_arguments(call)


def _refused(call: Call, name: str) -> Iterator[Report]:
    argument = call.argument(name)
    if argument is not None and isinstance(argument.value, Variable):
        yield Report(
            f"{name} is read while the program runs: it cannot be {described(argument.value)}.", argument.span
        )


def _entry_point(call: Call) -> Iterator[Report]:
    argument = call.argument("entry_point")
    if argument is None or not isinstance(argument.value, Variable):
        return
    source = call.value("source_dir")
    text = text_of(source)
    local = source is None or is_none(source) or (text is not None and not text.lower().startswith("s3://"))
    if local or _given(call, "git_config") or _is_true(call.value("enable_network_isolation")):
        what = described(argument.value)
        yield Report(f"entry_point is a local file here: it cannot be {what}.", argument.span)


def _is_true(value: Value | None) -> bool:
    return isinstance(value, Const) and value.value is True


def _image_arguments(call: Call) -> Iterator[Report]:
    if call.target.name == "retrieve":
        if "image_uris" not in call.target.dotted:
            return
        names = list(call.bound)
    else:
        names = ["framework_version", "py_version", "transformers_version", "pytorch_version"]
    for name in names:
        argument = call.argument(name)
        if argument is None or not isinstance(argument.value, Variable):
            continue
        if isinstance(argument.value, ParameterVariable) and call.target.major == "v2":
            message = f"{name} is read while the program runs: the default of the parameter is used."
            yield Report(message, argument.span, severity="warning")
        else:
            what = described(argument.value)
            yield Report(f"{name} is read while the program runs: it cannot be {what}.", argument.span)


# -- what the rules on definitions see -------------------------------------------------------------


def _translated(
    context: Context, *codes: str, where: Callable[[Translated], bool] | None = None
) -> Iterator[Report]:
    """Findings of rules on definitions as findings on the program."""
    for found in context.translated:
        if found.finding.code in codes and (where is None or where(found)):
            yield report_of(context, found)


def report_of(context: Context, found: Translated) -> Report:
    finding = found.finding
    return Report(
        finding.message,
        found.span,
        _replacement(context, found),
        finding.suggestions,
        severity=finding.severity,
    )


def _replacement(context: Context, found: Translated) -> tuple[Fix, ...]:
    fix = found.finding.fix
    if fix is None or len(fix.edits) != 1 or fix.edits[0].kind != "replace" or found.value is None:
        return ()
    if fix.edits[0].pointer != found.finding.pointer:
        return ()
    value = fix.edits[0].value
    text = context.text(found.span)
    if isinstance(value, str) and (literal := context.literal(found.value)) is not None:
        return context.rename(literal, value)
    if isinstance(value, dict) and "Std:Join" in value:
        return context.replace(found.span, f"{text}.to_string()", "Add .to_string()") if text else ()
    if isinstance(value, str) and isinstance(found.value, Const):
        return context.replace(found.span, f'"{value}"', "Make it a string")
    if isinstance(value, int) and not isinstance(value, bool) and isinstance(found.value, Const):
        return context.replace(found.span, str(value), f"Replace by {value}")
    if isinstance(value, list) and isinstance(found.value, Variable | Const):
        return context.replace(found.span, f"[{text}]", "Put it into a list") if text else ()
    return ()


def _ends(found: Translated, *names: str) -> bool:
    return bool(found.finding.pointer) and found.finding.pointer[-1] in names


def _within(found: Translated, *names: str) -> bool:
    return not set(names).isdisjoint(found.finding.pointer)


@rule(
    "P095",
    "error",
    "Number where a text belongs",
    example='processor.run(code="x.py", arguments=["--rounds", rounds])  # rounds = ParameterInteger(...)',
    source="E 4867, 2631, 2425: Cannot assign property reference to argument of type [String]",
    moment="create",
)
def number_as_text(context: Context) -> Iterator[Report]:
    """Arguments of a container and values of its environment are texts: `.to_string()` makes one of an
    integer, float or boolean parameter. The SDK converts hyperparameters itself."""
    yield from _translated(context, "J068")


_TEXT_LISTS = ("ContainerArguments", "Environment")


@rule(
    "P096",
    "error",
    "Argument that is no text",
    example='processor.run(code="x.py", arguments=["--rounds", 5])',
    source="V: the SDK emits the number; B: the service wants strings",
    moment="create",
)
def argument_text(context: Context) -> Iterator[Report]:
    """Arguments of a container are texts, numbers too."""
    yield from _translated(context, "J123", where=lambda found: _within(found, *_TEXT_LISTS))


@rule(
    "P097",
    "error",
    "Pipeline variable as the name of a hyperparameter",
    example='estimator.set_hyperparameters(**{name: "1"})  # name = ParameterString("Name")',
    source="amazon-sagemaker-feedback 197",
    moment="build",
)
def hyperparameter_name(context: Context) -> Iterator[Report]:
    """Hyperparameters have plain names; only their values may be pipeline variables."""
    for made in context.objects("estimator"):
        value = made.call.value("hyperparameters")
        if isinstance(value, DictValue):
            for entry in value.entries:
                if isinstance(entry.key, Variable):
                    what = described(entry.key)
                    yield Report(f"A hyperparameter's name is plain text, not {what}.", entry.key_span)


_RESOURCES = ("InstanceType", "InstanceCount", "VolumeSizeInGB", "MaxRuntimeInSeconds")


@rule(
    "P098",
    "error",
    "Instance type and count of the wrong type",
    example='Estimator(image, role, instance_count="ml.m5.xlarge", instance_type=1)',
    source="B; the SDK's own guide swaps them",
    moment="create",
)
def resource_types(context: Context) -> Iterator[Report]:
    """`instance_type` is a text, `instance_count` and the sizes are whole numbers; parameters in their place
    are ParameterString and ParameterInteger."""
    yield from _translated(context, "J123", "J069", where=lambda found: _ends(found, *_RESOURCES))


@rule(
    "P099",
    "error",
    "List expected",
    example='NetworkConfig(subnets=ParameterString("Subnet"))',
    source="E 2345: Expecting start of Json Array.",
    moment="create",
)
def array_expected(context: Context) -> Iterator[Report]:
    """`subnets` and `security_group_ids` are lists, of parameters where need be."""
    yield from _translated(context, "J009", where=lambda found: _ends(found, "Subnets", "SecurityGroupIds"))


@rule(
    "P100",
    "warning",
    "Instance type",
    example='SKLearnProcessor(instance_type="ml.m5.xlrge", ...)',
    source="B: the values that the service knows for this kind of job",
    moment="create",
)
def instance_type(context: Context) -> Iterator[Report]:
    """An instance type that the service does not know for this kind of job. New types appear all the time:
    only near misses, and types of other kinds of jobs, are reported."""
    for found in context.translated:
        if found.finding.code == "J126" or (found.finding.code == "J125" and found.finding.suggestions):
            yield report_of(context, found)
    for parameter, kind, value, span in _instance_parameters(context):
        yield from _instance_default(context, parameter, kind, value, span)


def _instance_parameters(context: Context) -> Iterator[tuple[str, str, Value, Span]]:
    """Defaults of parameters that are an instance type of a job: (parameter, shape, default, place)."""
    shapes = {
        "processor": "ProcessingInstanceType",
        "estimator": "TrainingInstanceType",
        "transformer": "TransformInstanceType",
    }
    seen: set[int] = set()
    for kind, shape_name in shapes.items():
        for made in context.objects(kind):
            value = made.get("instance_type")
            if not isinstance(value, ParameterVariable) or id(value.object) in seen:
                continue
            seen.add(id(value.object))
            parameter = context.model.parameter_of(value.object)
            if parameter is not None and parameter.default is not None and parameter.default_span is not None:
                yield parameter.name.shown, shape_name, parameter.default, parameter.default_span


def _instance_default(
    context: Context, parameter: str, shape_name: str, value: Value, span: Span
) -> Iterator[Report]:
    from stepbridge.definition.service import shape

    from .context import meant, suggest

    text = text_of(value)
    known = shape(shape_name).enum
    if text is None or text in known or text in ("local", "local_gpu") or not text.startswith("ml."):
        return
    close = suggest(text, sorted(known))
    if close and not any(text in shape(f"{other}InstanceType").enum for other in _OTHER_SHAPES):
        literal = context.literal(value)
        fixes = context.rename(literal, close[0]) if literal is not None else ()
        yield Report(f'"{text}" is no instance type that we know.{meant(close)}', span, fixes, close)


_OTHER_SHAPES = ("Processing", "Training", "Transform", "ProductionVariant")


@rule(
    "P101",
    "error",
    "Number out of range",
    example="SKLearnProcessor(instance_count=0, ...)",
    source="B; V: the SDK does not check",
    moment="create",
)
def range_of_number(context: Context) -> Iterator[Report]:
    """Counts of instances, sizes of volumes and run times have limits in the service."""
    yield from _translated(context, "J128", where=lambda found: _ends(found, *_RESOURCES))
    for made in context.objects("estimator"):
        count = made.call.argument("instance_count")
        if count is None or _given(made.call, "instance_groups") or made.call.open:
            continue
        if isinstance(count.value, Const) and type(count.value.value) is int and count.value.value == 0:
            yield Report("A training job has at least one instance.", count.span)


@rule(
    "P102",
    "error",
    "Input without destination",
    example='ProcessingInput(source="s3://bucket/data")',
    source="V: AttributeError: 'NoneType' object has no attribute 's3_uri'; E 2489",
    moment="build",
)
def destination(context: Context) -> Iterator[Report]:
    """A ProcessingInput of SDK v2 needs the path inside of the container."""
    for made in context.made("ProcessingInput"):
        call = made.call
        if made.cls.major != "v2" or call.open or made.changed or made.attributes:
            continue
        if any(_given(call, name) for name in ("destination", "s3_input", "dataset_definition")):
            continue
        path = "/opt/ml/processing/input"
        edit = add_keyword(context, call, f'destination="{path}"')
        fixes = (Fix(f'Add destination="{path}"', (edit,), False),) if context.own(call.span) else ()
        yield Report(
            "A ProcessingInput needs destination, the path inside of the container.", call.name_span, fixes
        )


@rule(
    "P103",
    "warning",
    "Path of an input or output",
    example='ProcessingOutput(output_name="train", source="/tmp/train")',
    source="D; V: the SDK accepts it",
    moment="run",
)
def container_path(context: Context) -> Iterator[Report]:
    """Paths of a processing job's inputs and outputs lie under /opt/ml/processing."""
    yield from _translated(context, "J134")


@rule(
    "P104",
    "error",
    "Too many inputs or outputs",
    example="processor.run(inputs=[... eleven ...])",
    source="B: 10; E 2554; the code is an input, too",
    moment="create",
)
def too_many(context: Context) -> Iterator[Report]:
    """A processing job has at most ten inputs and ten outputs."""
    names = ("ProcessingInputs", "Outputs", "Environment")
    yield from _translated(context, "J130", where=lambda found: _ends(found, *names))


@rule(
    "P105",
    "error",
    "Duplicate input or output",
    example='outputs=[ProcessingOutput(output_name="o", ...), ProcessingOutput(output_name="o", ...)]',
    source="V: the SDK accepts it",
    moment="run",
)
def duplicate_channel(context: Context) -> Iterator[Report]:
    """Inputs, outputs and channels of a job have different names."""
    yield from _translated(context, "J133")
    for step in context.steps("Training", "Tuning"):
        seen: set[str] = set()
        for channel in step.inputs:
            name = channel.name.text if channel.name is not None else None
            if name is not None and name in seen and channel.name is not None:
                yield Report(f'{label(step)} has two channels "{name}".', channel.name.span)
            seen.add(name or "")


__all__ = ["ListValue", "Step", "add_keyword", "report_of"]
