"""A program's steps as a definition document, so that the rules on definitions see them, too.

What the program does not tell is UNKNOWN, which those rules pass over in silence. Each value that is known
keeps the place of the expression it comes from. Only the arguments of steps are translated: names,
dependencies and references have rules of their own, which know the program better.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from msgspec import Struct, field
from stepbridge.definition.rules import Finding as DefinitionFinding
from stepbridge.definition.rules import check_document
from stepbridge.definition.values import JSON, UNKNOWN, Pointer

from stepbridge_lsp.model import Condition, Model, Parameter, RetryPolicy, Step, items_of
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    Argument,
    Call,
    Const,
    DictValue,
    EnumMember,
    JsonText,
    ListValue,
    ParameterVariable,
    PropertyVariable,
    SdkObject,
    Value,
    is_none,
    text_of,
)

from .properties import kind_of

# The rules on definitions that a program's arguments can break. Those in TWINS are reported under the
# program's code.
TWINS = {
    "J009": "P099",
    "J068": "P095",
    "J101": "P123",
    "J102": "P123",
    "J103": "P123",
    "J111": "P121",
    "J112": "P122",
    "J113": "P120",
    "J114": "P121",
    "J125": "P100",
    "J126": "P100",
    "J130": "P104",
    "J133": "P105",
    "J134": "P103",
}
ON_PROGRAMS = frozenset(
    {*TWINS, "J027", "J028", "J032", "J044", "J069", "J092", "J094", "J100", "J110", "J115", "J123", "J124"}
    | {"J127", "J128", "J129", "J132", "J135", "J136", "J138", "J139", "J142", "J146", "J147", "J148"}
)


_NUMBERS = frozenset({"InstanceType", "InstanceCount", "VolumeSizeInGB", "MaxRuntimeInSeconds"})


def has_twin(found: Translated) -> bool:
    """Whether a rule on programs reports it under a code of its own."""
    code, pointer = found.finding.code, found.finding.pointer
    if code in TWINS:
        return True
    if code in ("J069", "J128", "J123") and pointer and pointer[-1] in _NUMBERS:
        return True  # P098, P101
    return code == "J123" and not {"ContainerArguments", "Environment"}.isdisjoint(pointer)  # P096


class Translated(Struct, frozen=True):
    """A finding of a rule on definitions, at the expression of the program that it speaks of."""

    finding: DefinitionFinding
    span: Span
    value: Value | None


Cache = dict[str, list[DefinitionFinding]]
_CACHED = 3_000
_STEP: Pointer = ("Steps", 1)


def translated_findings(model: Model, cache: Cache) -> list[Translated]:
    """What the rules on definitions say of a program's steps and parameters.

    Each step is checked by itself, beside stubs of what it refers to, and remembered in `cache` by what it
    translates to: after an edit only the steps that it changed are checked again.
    """
    if len(cache) > _CACHED:
        cache.clear()
    names = Counter(step.name.text for step in model.steps)
    unique = frozenset(name for name, count in names.items() if name is not None and count == 1)
    by_name = {parameter.name.text: parameter for parameter in model.parameters}
    found = _of_parameters(model, unique, cache)
    for step in model.steps:
        part = Translation(model, unique)
        translated = part.step(step, _STEP)
        if translated is None:
            continue
        parameters: list[JSON] = [UNKNOWN]
        for name in sorted(part.parameters_used):
            parameter = by_name.get(name)
            parameters.append(
                {"Name": name, "Type": (parameter and parameter.type) or UNKNOWN, UNKNOWN: UNKNOWN}
            )
        stubs = [{"Name": name, "Type": kind, UNKNOWN: UNKNOWN} for name, kind in sorted(part.steps_used)]
        found += part.findings(parameters, [UNKNOWN, translated, *stubs], cache)
    return found


_BOTO_CALLS = (".create_pipeline", ".update_pipeline")


def plain_findings(model: Model, codes: frozenset[str]) -> list[Translated]:
    """What the rules say of definitions that a program writes out as dictionaries for boto3."""
    found: list[Translated] = []
    for call in model.foreign_calls:
        argument = call.argument("PipelineDefinition")
        if argument is None or not call.name.startswith("boto3.") or not call.name.endswith(_BOTO_CALLS):
            continue
        if not isinstance(argument.value, JsonText) or not isinstance(argument.value.content, DictValue):
            continue
        part = Translation(model, frozenset())
        document = part.value(argument.value.content, argument.span, ())
        placed = (part._placed(finding) for finding in check_document(document, codes))
        found += [entry for entry in placed if entry is not None]
    return found


def _of_parameters(model: Model, unique: frozenset[str], cache: Cache) -> list[Translated]:
    part = Translation(model, unique)
    parameters: list[JSON] = [UNKNOWN]
    for parameter in model.parameters:
        parameters.append(part.parameter(parameter, ("Parameters", len(parameters))))
    return part.findings(parameters, [UNKNOWN], cache)


class Translation(Struct, eq=False):
    """A part of the definition made of a program, and where its values come from.

    `unique` are the names that only one step has; `parameters_used` and `steps_used` (with their types) what
    the part refers to.
    """

    model: Model
    unique: frozenset[str]
    places: dict[Pointer, tuple[Span, Value | None]] = field(default_factory=dict)
    parameters_used: set[str] = field(default_factory=set)
    steps_used: set[tuple[str, str]] = field(default_factory=set)

    def findings(self, parameters: list[JSON], steps: list[JSON], cache: Cache) -> list[Translated]:
        document = {"Version": "2020-12-01", "Parameters": parameters, "Steps": steps, UNKNOWN: UNKNOWN}
        key = repr(document)
        known = cache.get(key)
        if known is None:
            known = cache[key] = check_document(document, ON_PROGRAMS)
        return [found for finding in known if (found := self._placed(finding)) is not None]

    def _placed(self, finding: DefinitionFinding) -> Translated | None:
        pointer = finding.pointer
        while pointer and pointer not in self.places:
            pointer = pointer[:-1]
        if pointer not in self.places:
            return None
        span, value = self.places[pointer]
        return Translated(finding, span, value if pointer == finding.pointer else None)

    # -- values ------------------------------------------------------------------------------------

    def value(self, value: Value | None, span: Span, pointer: Pointer) -> JSON:
        """A value as JSON; what is not known, or made when the pipeline executes, is UNKNOWN or a
        reference.
        """
        self.places[pointer] = (span, value)
        if isinstance(value, Const):
            constant = value.value
            return UNKNOWN if constant is None or isinstance(constant, bytes) else constant
        match value:
            case EnumMember():
                return value.value if isinstance(value.value, str) else UNKNOWN
            case ParameterVariable(object=made):
                name = text_of(made.call.value("name"))
                if name is None:
                    return UNKNOWN
                self.parameters_used.add(name)
                return {"Get": f"Parameters.{name}"}
            case PropertyVariable():
                return self.reference(value)
            case ListValue(items=items):
                found = [self.value(e.value, e.span, (*pointer, i)) for i, e in enumerate(items)]
                return [*found, UNKNOWN] if value.open else found
            case DictValue():
                return self.mapping(value, pointer)
        return UNKNOWN

    def reference(self, value: PropertyVariable) -> JSON:
        step = self.model.step_of(value.step)
        if step is None or step.name.text is None or step.name.text not in self.unique:
            return UNKNOWN
        if step.type is None or kind_of(step) != step.type or step.type in ("Lambda", "Callback"):
            return UNKNOWN
        self.steps_used.add((step.name.text, step.type))
        return {"Get": f"Steps.{step.name.text}.{value.dotted()}"}

    def mapping(self, value: DictValue, pointer: Pointer) -> JSON:
        result: dict[Any, JSON] = {UNKNOWN: UNKNOWN} if value.open else {}
        for entry in value.entries:
            if entry.name is None:
                result[UNKNOWN] = UNKNOWN
            else:
                result[entry.name] = self.value(entry.value, entry.span, (*pointer, entry.name))
        return result

    def fields(self, call: Call | None, pointer: Pointer, **names: str) -> dict[Any, JSON]:
        """An open object with members taken from arguments: member=argument."""
        result: dict[Any, JSON] = {UNKNOWN: UNKNOWN}
        for member, name in names.items():
            argument = call.argument(name) if call is not None else None
            if argument is not None and not is_none(argument.value):
                result[member] = self.value(argument.value, argument.span, (*pointer, member))
        return result

    # -- parts -------------------------------------------------------------------------------------

    def parameter(self, parameter: Parameter, pointer: Pointer) -> JSON:
        self.places[pointer] = (parameter.span, None)
        self.places[(*pointer, "Name")] = (parameter.name.span, None)
        result: dict[Any, JSON] = {
            "Name": parameter.name.text if parameter.name.text is not None else UNKNOWN,
            "Type": parameter.type or UNKNOWN,
            UNKNOWN: UNKNOWN,
        }
        if isinstance(parameter.default, Const) and parameter.default_span is not None:
            place = (*pointer, "DefaultValue")
            result["DefaultValue"] = self.value(parameter.default, parameter.default_span, place)
        return result

    def step(self, step: Step, pointer: Pointer) -> JSON | None:
        kind = kind_of(step)
        if kind is None or step.object is None:
            return None
        self.places[pointer] = (step.name.span, None)
        self.places[(*pointer, "Name")] = (step.name.span, None)
        name = step.name.text if step.name.text in self.unique else UNKNOWN
        result: dict[Any, JSON] = {"Name": name, "Type": kind, UNKNOWN: UNKNOWN}
        translate = _ARGUMENTS.get(kind)
        if translate is not None and not (step.job is not None and step.job.changed):
            result["Arguments"] = translate(self, step, (*pointer, "Arguments"))
        call = step.object.call
        for member, argument_name in (("DisplayName", "display_name"), ("Description", "description")):
            argument = call.argument(argument_name)
            if argument is not None and isinstance(argument.value, Const):
                result[member] = self.value(argument.value, argument.span, (*pointer, member))
        if step.cache is not None:
            result["CacheConfig"] = self.cache(step.cache, (*pointer, "CacheConfig"))
        if step.retry_policies and not isinstance(step.object.get("retry_policies"), DictValue):
            place = (*pointer, "RetryPolicies")
            result["RetryPolicies"] = [
                self.policy(policy, (*place, index)) for index, policy in enumerate(step.retry_policies)
            ]
        return result

    def cache(self, made: SdkObject, pointer: Pointer) -> JSON:
        self.places[pointer] = (made.call.span, None)
        result = self.fields(made.call, pointer, Enabled="enable_caching", ExpireAfter="expire_after")
        if not made.call.open and not made.changed:
            del result[UNKNOWN]
            result.setdefault("Enabled", False)
        return result

    def policy(self, policy: RetryPolicy, pointer: Pointer) -> JSON:
        call = policy.object.call
        self.places[pointer] = (call.span, None)
        result = self.fields(
            call,
            pointer,
            MaxAttempts="max_attempts",
            ExpireAfterMin="expire_after_mins",
            IntervalSeconds="interval_seconds",
            BackoffRate="backoff_rate",
        )
        if not call.open and not policy.object.changed:
            del result[UNKNOWN]
        types: list[JSON] = []
        for name in ("exception_types", "failure_reason_types"):
            given = call.argument(name)
            items, is_open = items_of(given.value if given else None)
            for value, span in items:
                types.append(self.value(value, span, (*pointer, "ExceptionType", len(types))))
            if is_open:
                types.append(UNKNOWN)
        result["ExceptionType"] = types or UNKNOWN
        return result

    # -- arguments by type -------------------------------------------------------------------------

    def processing(self, step: Step, pointer: Pointer) -> JSON:
        job = step.job.call if step.job is not None else None
        run = step.job_call
        cluster = (*pointer, "ProcessingResources", "ClusterConfig")
        arguments = (*pointer, "AppSpecification")
        in_step = run is not None and run.target.name == "ProcessingStep"
        words = "job_arguments" if in_step else "arguments"
        result: dict[Any, JSON] = {
            UNKNOWN: UNKNOWN,
            "ProcessingResources": {
                "ClusterConfig": self.fields(
                    job,
                    cluster,
                    InstanceType="instance_type",
                    InstanceCount="instance_count",
                    VolumeSizeInGB="volume_size_in_gb",
                )
            },
            "AppSpecification": self.fields(run, arguments, ContainerArguments=words),
            "StoppingCondition": self.fields(
                job, (*pointer, "StoppingCondition"), MaxRuntimeInSeconds="max_runtime_in_seconds"
            ),
            "ProcessingInputs": self.inputs(step, (*pointer, "ProcessingInputs")),
            "ProcessingOutputConfig": {
                UNKNOWN: UNKNOWN,
                "Outputs": self.outputs(step, (*pointer, "ProcessingOutputConfig", "Outputs")),
            },
        }
        result |= self.fields(job, pointer, Environment="env", Tags="tags")
        network = step.job.get("network_config") if step.job is not None else None
        if isinstance(network, SdkObject):
            place = (*pointer, "NetworkConfig", "VpcConfig")
            vpc = self.fields(network.call, place, Subnets="subnets", SecurityGroupIds="security_group_ids")
            result["NetworkConfig"] = {UNKNOWN: UNKNOWN, "VpcConfig": vpc}
        return result

    def inputs(self, step: Step, pointer: Pointer) -> JSON:
        argument = step.job_call.argument("inputs") if step.job_call is not None else None
        if argument is not None:
            self.places[pointer] = (argument.span, None)
        found: list[JSON] = []
        for item in step.inputs:
            place = (*pointer, len(found))
            self.places[place] = (item.span, None)
            entry: dict[Any, JSON] = {UNKNOWN: UNKNOWN}
            if item.name is not None and item.name.text is not None:
                self.places[(*place, "InputName")] = (item.name.span, None)
                entry["InputName"] = item.name.text
            local = _local_path(item.object, "destination", "s3_input")
            if local is not None:
                where = (*place, "S3Input", "LocalPath")
                path = self.value(local.value, local.span, where)
                entry["S3Input"] = {UNKNOWN: UNKNOWN, "LocalPath": path}
            found.append(entry)
        return [*found, UNKNOWN] if step.open_inputs else found or UNKNOWN

    def outputs(self, step: Step, pointer: Pointer) -> JSON:
        argument = step.job_call.argument("outputs") if step.job_call is not None else None
        if argument is not None:
            self.places[pointer] = (argument.span, None)
        found: list[JSON] = []
        for item in step.outputs:
            place = (*pointer, len(found))
            self.places[place] = (item.span, None)
            entry: dict[Any, JSON] = {UNKNOWN: UNKNOWN}
            if item.name is not None and item.name.text is not None:
                self.places[(*place, "OutputName")] = (item.name.span, None)
                entry["OutputName"] = item.name.text
            local = _local_path(item.object, "source", "s3_output")
            if local is not None:
                where = (*place, "S3Output", "LocalPath")
                path = self.value(local.value, local.span, where)
                entry["S3Output"] = {UNKNOWN: UNKNOWN, "LocalPath": path}
            found.append(entry)
        return [*found, UNKNOWN] if step.open_outputs else found or UNKNOWN

    def training(self, step: Step, pointer: Pointer) -> JSON:
        job = step.job
        if job is None or job.kind != "estimator":
            return UNKNOWN
        call = job.call
        if job.cls.name == "ModelTrainer":
            compute, stopping = job.get("compute"), job.get("stopping_condition")
            resources = compute.call if isinstance(compute, SdkObject) else None
            limits = stopping.call if isinstance(stopping, SdkObject) else None
            names = {"VolumeSizeInGB": "volume_size_in_gb"}
            times = {"MaxRuntimeInSeconds": "max_runtime_in_seconds"}
        else:
            resources = limits = call
            names, times = {"VolumeSizeInGB": "volume_size"}, {"MaxRuntimeInSeconds": "max_run"}
        place = (*pointer, "ResourceConfig")
        config = self.fields(
            resources, place, InstanceType="instance_type", InstanceCount="instance_count", **names
        )
        result: dict[Any, JSON] = {
            UNKNOWN: UNKNOWN,
            "ResourceConfig": config,
            "StoppingCondition": self.fields(limits, (*pointer, "StoppingCondition"), **times),
        }
        vpc = self.fields(
            call, (*pointer, "VpcConfig"), Subnets="subnets", SecurityGroupIds="security_group_ids"
        )
        result["VpcConfig"] = vpc
        if not isinstance(call.value("environment"), SdkObject):
            result |= self.fields(call, pointer, Environment="environment", Tags="tags")
        return result

    def transform(self, step: Step, pointer: Pointer) -> JSON:
        call = step.job.call if step.job is not None and step.job.kind == "transformer" else None
        place = (*pointer, "TransformResources")
        resources = self.fields(call, place, InstanceType="instance_type", InstanceCount="instance_count")
        return {UNKNOWN: UNKNOWN, "TransformResources": resources} | self.fields(
            call, pointer, BatchStrategy="strategy", MaxConcurrentTransforms="max_concurrent_transforms"
        )

    def condition(self, step: Step, pointer: Pointer) -> JSON:
        made = step.object
        given = made.call.argument("conditions") if made is not None else None
        items, is_open = items_of(given.value if given is not None else None)
        conditions: list[JSON] = []
        for item, span in items:
            place = (*pointer, "Conditions", len(conditions))
            self.places[place] = (span, None)
            found = next((c for c in step.conditions if c.object is item), None)
            conditions.append(self.one_condition(found, place) if found is not None else UNKNOWN)
        branches: list[JSON] = (
            [] if not (step.if_steps or step.else_steps or step.open_branches) else [UNKNOWN]
        )
        return {
            "Conditions": [*conditions, UNKNOWN] if is_open or not conditions else conditions,
            "IfSteps": branches,
            "ElseSteps": branches,
        }

    def one_condition(self, condition: Condition, pointer: Pointer) -> JSON:
        if condition.kind not in _COMPARISONS or len(condition.operands) != 2:
            return UNKNOWN
        self.places[pointer] = (condition.span, None)
        left, right = condition.operands
        return {
            "Type": condition.kind,
            "LeftValue": self.value(left.value, left.span, (*pointer, "LeftValue")),
            "RightValue": self.value(right.value, right.span, (*pointer, "RightValue")),
        }

    def registering(self, step: Step, pointer: Pointer) -> JSON:
        call = step.job_call if step.type == "ModelStep" else step.object.call if step.object else None
        return self.fields(
            call,
            pointer,
            ModelPackageGroupName="model_package_group_name",
            ModelApprovalStatus="approval_status",
        )


_COMPARISONS = frozenset({"Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo"})


def _local_path(made: SdkObject | None, name: str, nested: str) -> Argument | None:
    """The path inside of the container, written flat (SDK v2) or in a nested object (SDK v3)."""
    if made is None:
        return None
    argument = made.call.argument(name)
    if argument is None and isinstance(inner := made.get(nested), SdkObject):
        argument = inner.call.argument("local_path")
    return argument if argument is not None and isinstance(argument.value, Const) else None


_ARGUMENTS: dict[str, Callable[[Translation, Step, Pointer], JSON]] = {
    "Processing": Translation.processing,
    "Training": Translation.training,
    "Transform": Translation.transform,
    "Condition": Translation.condition,
    "RegisterModel": Translation.registering,
}
