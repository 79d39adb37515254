"""From what a walk through a program found to the model: steps with their jobs, pipelines with their lists.

Nothing is evaluated here. What is not known stays unknown: a list that may hold more is `open`, an argument
that may be given unseen is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

from stepbridge_lsp.model import (
    Condition,
    Dependency,
    JobInput,
    JobOutput,
    Model,
    Name,
    Parameter,
    Pipeline,
    PropertyFile,
    PropertyUse,
    RetryPolicy,
    Step,
    Use,
    items_of,
)
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    UNKNOWN,
    Argument,
    Call,
    Const,
    DictValue,
    FunctionVariable,
    ImageUri,
    ListValue,
    ParameterVariable,
    PropertyVariable,
    ReturnVariable,
    SdkObject,
    StepArguments,
    Text,
    TextVariable,
    Unknown,
    Value,
    Variable,
    Volatile,
    is_none,
    text_of,
)

from . import symbols
from .evaluation import Evaluation, Findings

_STEP_TYPES = {
    "TrainingStep": "Training",
    "ProcessingStep": "Processing",
    "TransformStep": "Transform",
    "TuningStep": "Tuning",
    "CreateModelStep": "Model",
    "ConditionStep": "Condition",
    "LambdaStep": "Lambda",
    "CallbackStep": "Callback",
    "FailStep": "Fail",
    "QualityCheckStep": "QualityCheck",
    "ClarifyCheckStep": "ClarifyCheck",
    "EMRStep": "EMR",
    "EMRServerlessStep": "EMRServerless",
    "AutoMLStep": "AutoML",
    "NotebookJobStep": "Training",
    "EndpointConfigStep": "EndpointConfig",
    "EndpointStep": "Endpoint",
    "InferenceComponentStep": "InferenceComponent",
    "LineageStep": "Lineage",
    "FunctionStep": "Training",
    "ModelStep": "ModelStep",
    "RegisterModel": "RegisterModel",
    "EstimatorTransformer": "EstimatorTransformer",
    "MonitorBatchTransformStep": "MonitorBatchTransform",
    "JobStep": "Job",
    "ForEachStep": "ForEach",
    "CleanupStep": "Cleanup",
}
COLLECTIONS = frozenset({"ModelStep", "RegisterModel", "EstimatorTransformer", "MonitorBatchTransform"})
_PARAMETER_TYPES: dict[str, Literal["String", "Integer", "Float", "Boolean"]] = {
    "ParameterString": "String",
    "ParameterInteger": "Integer",
    "ParameterFloat": "Float",
    "ParameterBoolean": "Boolean",
}
_CONDITION_KINDS = {
    "ConditionEquals": "Equals",
    "ConditionGreaterThan": "GreaterThan",
    "ConditionGreaterThanOrEqualTo": "GreaterThanOrEqualTo",
    "ConditionLessThan": "LessThan",
    "ConditionLessThanOrEqualTo": "LessThanOrEqualTo",
    "ConditionIn": "In",
    "ConditionNot": "Not",
    "ConditionOr": "Or",
}
# Arguments of a step that hold its job in the old style.
_JOB_ARGUMENTS = ("processor", "estimator", "transformer", "tuner", "model")
# Arguments of a step that hold other steps, or what is read apart.
_NOT_DATA = frozenset({"if_steps", "else_steps", "depends_on", "name", "property_files"})
_REACH_DEPTH = 14
_EMPTY = frozenset({type(None), Unknown, Volatile, ImageUri, Text})  # hold no pipeline variable
_OPAQUE = frozenset({"step", "pipeline", "session", "pipeline-session", "local-pipeline-session"})


def name_of(value: Value | None, span: Span) -> Name:
    """A name from the expression that gives it."""
    if isinstance(value, Const) and isinstance(value.value, str):
        literal = value.origin
        if literal is not None and literal.end - literal.start != len(value.value.encode("utf-8", "replace")):
            literal = None
        return Name(value.value, span, literal)
    likely = text_of(value.likely) if isinstance(value, Unknown) and value.likely is not None else None
    return Name(None, span, None, likely)


def _argument_name(call: Call, *names: str) -> Name:
    argument = call.argument(*names)
    if argument is None:
        return Name(None, call.name_span)
    return name_of(argument.value, argument.span)


@dataclass
class Builder:
    """Makes model parts, each once for an object."""

    run: Evaluation
    found: Findings
    steps: dict[int, Step] = field(default_factory=dict)
    parameters: dict[int, Parameter] = field(default_factory=dict)
    files: dict[int, PropertyFile] = field(default_factory=dict)
    conditions: dict[int, Condition] = field(default_factory=dict)
    reached: dict[int, tuple[Use, ...]] = field(default_factory=dict)

    # -- parts -------------------------------------------------------------------------------------

    def parameter(self, made: SdkObject) -> Parameter:
        if id(made) in self.parameters:
            return self.parameters[id(made)]
        call = made.call
        default, enum = call.argument("default_value"), call.argument("enum_values")
        value = call.value("default_value")
        parameter = Parameter(
            name=_argument_name(call, "name"),
            type=_PARAMETER_TYPES.get(made.cls.name),
            span=call.span,
            default=None if is_none(value) else value,
            default_span=default.span if default else None,
            enum=call.value("enum_values"),
            enum_span=enum.span if enum else None,
            variable=made.variable,
            object=made,
        )
        self.parameters[id(made)] = parameter
        return parameter

    def file(self, made: SdkObject) -> PropertyFile:
        if id(made) in self.files:
            return self.files[id(made)]
        call = made.call
        output = call.argument("output_name")
        file = PropertyFile(
            name=_argument_name(call, "name"),
            span=call.span,
            output_name=name_of(output.value, output.span) if output else None,
            path=call.value("path"),
            object=made,
        )
        self.files[id(made)] = file
        return file

    def condition(self, made: SdkObject) -> Condition:
        if id(made) in self.conditions:
            return self.conditions[id(made)]
        call = made.call
        operands = [call.argument(name) for name in ("left", "right", "value", "in_values")]
        nested: list[Condition] = []
        for name in ("expression", "conditions"):
            inner = call.value(name)
            values = [v for v, _ in items_of(inner)[0]] if isinstance(inner, ListValue) else [inner]
            nested += [
                self.condition(v) for v in values if isinstance(v, SdkObject) and v.kind == "condition"
            ]
        condition = Condition(
            kind=_CONDITION_KINDS.get(made.cls.name, made.cls.name),
            span=call.span,
            object=made,
            operands=tuple(operand for operand in operands if operand is not None),
            nested=tuple(nested),
        )
        self.conditions[id(made)] = condition
        return condition

    def step(self, made: SdkObject) -> Step:
        if id(made) in self.steps:
            return self.steps[id(made)]
        call = made.call
        step = Step(
            name=_argument_name(call, "name"),
            type=_STEP_TYPES.get(made.cls.name),
            span=call.span,
            object=made,
            variable=made.variable,
        )
        self.steps[id(made)] = step
        self._fill_job(step, made)
        self._fill_dependencies(step, made)
        self._fill_channels(step, made)
        self._fill_files(step, made)
        self._fill_policies(step, made)
        if step.type == "Condition":
            self._fill_branches(step, made)
        step.uses = tuple(self._uses(made))
        step.service_names = tuple(_service_names(step))
        return step

    def _fill_job(self, step: Step, made: SdkObject) -> None:
        arguments = made.get("step_args")
        if isinstance(arguments, StepArguments):
            step.job_call = arguments.call
            step.job = arguments.call.receiver
            return
        if arguments is not None and not is_none(arguments):
            return
        for name in _JOB_ARGUMENTS:
            value = made.get(name)
            if isinstance(value, SdkObject):
                step.job = value
                step.job_call = made.call
                return

    def _fill_dependencies(self, step: Step, made: SdkObject) -> None:
        given = [value for value in (made.get("depends_on"),) if value is not None and not is_none(value)]
        for call in made.calls:
            if call.target.name.endswith(".add_depends_on"):
                given.append(call.value("step_names") or UNKNOWN)
        found: list[Dependency] = []
        for value in given:
            items, is_open = items_of(value)
            step.open_dependencies = step.open_dependencies or is_open
            for item, span in items:
                found.append(self._dependency(item, span))
        step.open_dependencies = (
            step.open_dependencies
            or made.changed
            or any(dependency.step is None and dependency.name is None for dependency in found)
        )
        step.dependencies = tuple(found)

    def _dependency(self, item: Value, span: Span) -> Dependency:
        if isinstance(item, SdkObject) and item.kind == "step-dependency":
            item = item.call.value("step") or UNKNOWN
        if isinstance(item, ReturnVariable):
            item = item.step
        if isinstance(item, SdkObject) and item.kind == "step":
            return Dependency(span, self.step(item))
        return Dependency(span, None, text_of(item))

    def _fill_channels(self, step: Step, made: SdkObject) -> None:
        if step.type in ("Lambda", "Callback"):
            step.outputs, step.open_outputs = self._outputs(made.get("outputs"))
            step.open_inputs = True
            return
        if step.job_call is None:
            step.open_inputs = step.open_outputs = True
            return
        if step.type == "Processing":
            step.inputs, step.open_inputs = self._inputs(step.job_call.value("inputs"))
            step.outputs, step.open_outputs = self._outputs(step.job_call.value("outputs"))
            if step.job is None or not step.job.cls.isa("ScriptProcessor", "Processor"):
                step.open_outputs = True
            if step.job is not None and step.job.changed:
                step.open_outputs = step.open_inputs = True
        elif step.type in ("Training", "Tuning"):
            step.inputs, step.open_inputs = self._channels(step)
            step.open_outputs = True
        else:
            step.open_inputs = step.open_outputs = True

    def _inputs(self, value: Value | None) -> tuple[tuple[JobInput, ...], bool]:
        if is_none(value):
            return (), False
        items, is_open = items_of(value)
        inputs: list[JobInput] = []
        for index, (item, span) in enumerate(items, 1):
            if not isinstance(item, SdkObject) or item.kind != "processing-input":
                is_open = True
                continue
            name = item.get("input_name")
            inputs.append(
                JobInput(
                    _default_name(name, item, f"input-{index}", is_open),
                    span,
                    item.get("source"),
                    item.get("destination"),
                    item,
                )
            )
        return tuple(inputs), is_open

    def _outputs(self, value: Value | None) -> tuple[tuple[JobOutput, ...], bool]:
        if is_none(value):
            return (), False
        items, is_open = items_of(value)
        outputs: list[JobOutput] = []
        for index, (item, span) in enumerate(items, 1):
            if not isinstance(item, SdkObject) or item.kind not in ("processing-output", "step-output"):
                is_open = True
                continue
            name = item.get("output_name")
            made_name = _default_name(name, item, f"output-{index}", is_open)
            if item.changed:
                made_name, is_open = None, True
            outputs.append(JobOutput(made_name, span, item.get("source"), item.get("destination"), item))
        return tuple(outputs), is_open

    def _channels(self, step: Step) -> tuple[tuple[JobInput, ...], bool]:
        assert step.job_call is not None
        value = step.job_call.value("inputs", "input_data_config")
        argument = step.job_call.argument("inputs", "input_data_config")
        if isinstance(value, DictValue):
            named = [
                JobInput(name_of(entry.key, entry.key_span), entry.span, entry.value)
                for entry in value.entries
            ]
            return tuple(named), value.open or any(entry.name is None for entry in value.entries)
        if isinstance(value, ListValue):
            return self._listed_channels(value)
        if value is None or is_none(value):
            return (), step.job is None or step.job.cls.name == "ModelTrainer"
        if argument is not None and (isinstance(value, SdkObject) or text_of(value) is not None):
            return (JobInput(Name("training", argument.span), argument.span, value),), False
        return (), True

    def _listed_channels(self, value: ListValue) -> tuple[tuple[JobInput, ...], bool]:
        inputs: list[JobInput] = []
        is_open = value.open
        for item, span in items_of(value)[0]:
            if isinstance(item, SdkObject) and (named := item.call.argument("channel_name")) is not None:
                name = name_of(named.value, named.span)
                inputs.append(JobInput(name, span, item.get("data_source"), None, item))
            else:
                is_open = True
        return tuple(inputs), is_open

    def _fill_files(self, step: Step, made: SdkObject) -> None:
        value = made.get("property_files")
        if value is None or is_none(value):
            return
        items, step.open_property_files = items_of(value)
        files: list[PropertyFile] = []
        for item, _ in items:
            if isinstance(item, SdkObject) and item.kind == "property-file":
                file = self.file(item)
                file.steps.append(step)
                files.append(file)
            else:
                step.open_property_files = True
        step.property_files = tuple(files)

    def _fill_policies(self, step: Step, made: SdkObject) -> None:
        cache = made.get("cache_config")
        step.cache = cache if isinstance(cache, SdkObject) else None
        items, _ = items_of(made.get("retry_policies"))
        policies = [v for v, _ in items if isinstance(v, SdkObject) and v.kind == "retry-policy"]
        for call in made.calls:
            if call.target.name.endswith(".add_retry_policy"):
                value = call.value("retry_policy")
                policies += [value] if isinstance(value, SdkObject) else []
        step.retry_policies = tuple(RetryPolicy(policy.call.span, policy) for policy in policies)

    def _fill_branches(self, step: Step, made: SdkObject) -> None:
        items, step.open_branches = items_of(made.get("conditions"))
        step.open_branches = False
        step.conditions = tuple(
            self.condition(v) for v, _ in items if isinstance(v, SdkObject) and v.kind == "condition"
        )
        for name, taken in (("if_steps", True), ("else_steps", False)):
            value = made.get(name)
            nested, _, is_open = self._listed_steps(None if is_none(value) else value)
            step.open_branches = step.open_branches or is_open
            for inner in nested:
                inner.branch = inner.branch or (step, taken)
            if taken:
                step.if_steps = tuple(nested)
            else:
                step.else_steps = tuple(nested)

    def _listed_steps(self, value: Value | None) -> tuple[list[Step], list[Span], bool]:
        items, is_open = items_of(value)
        steps: list[Step] = []
        spans: list[Span] = []
        for item, span in items:
            made = item.step if isinstance(item, ReturnVariable) else item
            if isinstance(made, SdkObject) and made.kind == "step":
                steps.append(self.step(made))
                spans.append(span)
            else:
                is_open = True
        return steps, spans, is_open

    def pipeline(self, made: SdkObject) -> Pipeline:
        steps, step_spans, open_steps = self._listed_steps(_or_none(made.get("steps")))
        items, open_parameters = items_of(_or_none(made.get("parameters")))
        parameters: list[Parameter] = []
        parameter_spans: list[Span] = []
        for item, span in items:
            if isinstance(item, ParameterVariable):
                parameters.append(self.parameter(item.object))
                parameter_spans.append(span)
            else:
                open_parameters = True
        listed, given = made.call.argument("parameters"), made.call.argument("steps")
        return Pipeline(
            name=_argument_name(made.call, "name"),
            span=made.call.span,
            object=made,
            parameters=tuple(parameters),
            parameter_spans=tuple(parameter_spans),
            open_parameters=open_parameters or made.changed,
            parameters_span=listed.span if listed else None,
            steps=tuple(steps),
            step_spans=tuple(step_spans),
            open_steps=open_steps or made.changed,
            steps_span=given.span if given else None,
            calls=tuple(made.calls),
        )

    # -- what goes into a step ---------------------------------------------------------------------

    def _uses(self, made: SdkObject) -> list[Use]:
        seen: set[int] = set()
        uses: list[Use] = []
        everything = made.cls.name == "FunctionStep"
        for argument in made.call.arguments:
            if everything or argument.name not in _NOT_DATA:
                self.reach(argument.value, argument.span, uses, seen)
        for name, value in made.attributes.items():
            if name not in _NOT_DATA and not name.startswith("__"):
                self.reach(value, made.call.span, uses, seen)
        return uses

    def reach(self, value: Value | None, span: Span, uses: list[Use], seen: set[int], depth: int = 0) -> None:
        """Collect the pipeline variables within a value, with the innermost place that is written for
        each.
        """
        kind = type(value)
        if kind is Const or kind in _EMPTY or depth > _REACH_DEPTH:
            return
        if isinstance(value, Variable):
            self._reach_variable(value, span, uses, seen, depth)
            return
        if id(value) in seen:
            return
        seen.add(id(value))
        if isinstance(value, SdkObject):
            if value.kind not in _OPAQUE:
                self._reach_object(value, span, uses, seen, depth)
        elif isinstance(value, ListValue):
            for element in value.items:
                self.reach(element.value, element.span, uses, seen, depth + 1)
        elif isinstance(value, DictValue):
            for entry in value.entries:
                self.reach(entry.value, entry.span, uses, seen, depth + 1)
        elif isinstance(value, StepArguments):
            self._reach_call(value.call, uses, seen, depth)
            if value.call.receiver is not None:
                self.reach(value.call.receiver, value.call.span, uses, seen, depth + 1)

    def _reach_object(self, made: SdkObject, span: Span, uses: list[Use], seen: set[int], depth: int) -> None:
        self._reach_call(made.call, uses, seen, depth)
        for call in made.calls:
            if call.target.name.rpartition(".")[2].startswith(("set_", "add_", "with_", "enable_")):
                self._reach_call(call, uses, seen, depth)
        for attribute in made.attributes.values():
            self.reach(attribute, span, uses, seen, depth + 1)

    def _reach_call(self, call: Call, uses: list[Use], seen: set[int], depth: int) -> None:
        for argument in call.arguments:
            if type(argument.value) is not Const:
                self.reach(argument.value, argument.span, uses, seen, depth + 1)

    def _reach_variable(
        self, value: Variable, span: Span, uses: list[Use], seen: set[int], depth: int
    ) -> None:
        if isinstance(value, TextVariable):
            self.reach(value.of, span, uses, seen, depth + 1)
            return
        uses.append(Use(value, span))
        if isinstance(value, FunctionVariable) and id(value) not in seen:
            seen.add(id(value))
            self._reach_call(value.object.call, uses, seen, depth)

    # -- the whole ---------------------------------------------------------------------------------

    def build(self, *, broken: bool) -> Model:
        objects = self.found.objects
        by_kind: dict[str, list[SdkObject]] = {}
        for made in objects:
            by_kind.setdefault(made.cls.kind, []).append(made)
        parameters = [self.parameter(made) for made in by_kind.get("parameter", ())]
        files = [self.file(made) for made in by_kind.get("property-file", ())]
        steps = [self.step(made) for made in by_kind.get("step", ())]
        pipelines = [self.pipeline(made) for made in by_kind.get("pipeline", ())]
        policies = by_kind.get("retry-policy", ())
        self._fill_data_dependencies(steps)
        self._fill_parameter_uses(pipelines)
        main = self.run.main
        uses = [
            PropertyUse(variable, self.steps.get(id(variable.step)), span)
            for span, variable in self.found.properties.items()
            if span.document == main
        ]
        majors = self.run.majors
        model = Model(
            document=main,
            broken=broken,
            exhausted=self.found.exhausted,
            sdk=majors[0] if len(majors) == 1 else None,
            pipelines=tuple(pipelines),
            parameters=tuple(parameters),
            steps=tuple(steps),
            property_files=tuple(files),
            property_uses=tuple(uses),
            conditions=tuple(self.condition(made) for made in by_kind.get("condition", ())),
            retry_policies=tuple(RetryPolicy(made.call.span, made) for made in policies),
            calls=tuple(self.found.calls),
            objects=tuple(objects),
            misuses=tuple(self.found.misuses.values()),
            imports=tuple(item for item in self.found.imports if item.span.document == main),
            foreign_calls=tuple(self.found.foreign_calls),
            missing_attributes=tuple(self.found.missing_attributes),
            dependencies=frozenset(self.run.dependencies),
        )
        model.make_symbols = lambda: symbols.collect(model, self.found)
        return model

    def _fill_data_dependencies(self, steps: list[Step]) -> None:
        by_name: dict[str | None, Step] = {s.name.text: s for s in steps if s.name.text is not None}
        for step in steps:
            found: dict[int, Step] = {}
            for source in self._sources(step, by_name):
                if source is not step:
                    found[id(source)] = source
            step.data_dependencies = tuple(found.values())

    def _sources(self, step: Step, by_name: dict[str | None, Step]) -> Iterator[Step]:
        for use in step.uses:
            variable = use.variable
            if isinstance(variable, PropertyVariable | ReturnVariable):
                if (source := self.steps.get(id(variable.step))) is not None:
                    yield source
            elif isinstance(variable, FunctionVariable) and variable.object.cls.name == "JsonGet":
                named = variable.object.call.value("step_name", "step")
                source = self.steps.get(id(named)) or by_name.get(text_of(named))
                if source is not None and (isinstance(named, SdkObject) or text_of(named) is not None):
                    yield source

    def _fill_parameter_uses(self, pipelines: list[Pipeline]) -> None:
        """References to parameters (those in a pipeline's own list not counted), steps and property files."""
        listed = {span for pipeline in pipelines for span in pipeline.parameter_spans}
        for reference in self.found.references:
            key = id(reference.value)
            if (parameter := self.parameters.get(key)) is not None:
                if reference.span not in listed:
                    parameter.uses.append(reference.span)
            elif (step := self.steps.get(key)) is not None:
                step.mentions.append(reference.span)
            elif (file := self.files.get(key)) is not None:
                file.mentions.append(reference.span)


def _or_none(value: Value | None) -> Value | None:
    return None if is_none(value) else value


def _default_name(name: Value | None, item: SdkObject, default: str, is_open: bool) -> Name | None:
    """Inputs and outputs without a name are numbered by the SDK."""
    if name is None or is_none(name):
        return None if is_open else Name(default, item.call.span)
    argument = item.call.argument("output_name", "input_name")
    return name_of(name, argument.span if argument is not None else item.call.span)


def _service_names(step: Step) -> Iterable[str]:
    """What the service will call the steps that a step of the program becomes; none where that is unknown."""
    name = step.name.text
    if name is None:
        return []
    if step.type == "ModelStep" and step.object is not None and step.object.cls.major == "v2":
        method = step.job_call.target.name.rpartition(".")[2] if step.job_call else None
        suffix = {"register": "RegisterModel", "create": "CreateModel"}.get(method or "")
        return [f"{name}-{suffix}"] if suffix else []
    if step.type == "RegisterModel":
        return [f"{name}-RegisterModel"]
    return [] if step.type in COLLECTIONS else [name]


def build(run: Evaluation, found: Findings, *, broken: bool) -> Model:
    """The model of the document that `run` walked through."""
    return Builder(run, found).build(broken=broken)


__all__ = ["COLLECTIONS", "Argument", "build", "name_of"]
