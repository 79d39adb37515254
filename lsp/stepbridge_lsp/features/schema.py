"""What may stand at a place of a definition document: its keys, its values, and the words on them.

Steps' arguments follow the service's shapes; the frame around them is described here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from stepbridge.definition.kinds import KINDS, request_shape
from stepbridge.definition.rules.policies import EXCEPTION_TYPES
from stepbridge.definition.service import Shape
from stepbridge.definition.service import documentation as service_documentation
from stepbridge.definition.values import JSON, Pointer

from . import words

_COMPARISONS = (
    "Equals",
    "NotEquals",
    "GreaterThan",
    "GreaterThanOrEqualTo",
    "LessThan",
    "LessThanOrEqualTo",
)
CONDITION_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_COMPARISONS, ("LeftValue", "RightValue")),
    "In": ("QueryValue", "Values"),
    "NotIn": ("QueryValue", "Values"),
    "Not": ("Condition",),
    "Or": ("Conditions",),
}


@dataclass(frozen=True)
class Key:
    """A key that an object may have: `type` in a word, `text` on it, and how its value begins."""

    name: str
    type: str = ""
    text: str = ""
    required: bool = False
    lookup: tuple[str, str] | None = None
    opening: str = ""  # '"', "{", "[" or ""


@dataclass(frozen=True)
class Node:
    """What is known of a place: the keys of an object there, the kind of an array's items, plain values.

    `enter` gives the node of a key (or of any item, for an index) from the value at hand.
    """

    name: str = ""
    keys: Callable[[JSON], list[Key]] | None = None
    values: tuple[str, ...] = ()
    enter: Callable[[str | int, JSON], Node | None] | None = None
    shape: Shape | None = None
    names: str = ""  # values are names of the document: "step", "output", "reference", "enum"


def node_at(root: JSON, pointer: Pointer) -> Node | None:
    """The node that a pointer leads to; None where nothing is known."""
    node: Node | None = ROOT
    value = root
    for part in pointer:
        node = _enter(node, part, value) if node is not None else None
        if node is None:
            return None
        value = _child(value, part)
    return node


def _child(value: Any, part: str | int) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def _enter(node: Node, part: str | int, value: JSON) -> Node | None:
    if part == "Get":
        return REFERENCE
    if part == "Std:Join":
        return JOIN
    if part == "Std:JsonGet":
        return JSON_GET
    if node.enter is not None:
        return node.enter(part, value)
    return of_shape(node.shape, part) if node.shape is not None else None


def of_shape(found: Shape, part: str | int) -> Node | None:
    """The node of a member or item of a shape."""
    if found.type == "structure":
        member = found.members.get(part) if isinstance(part, str) else None
        return _shape_node(member) if member is not None else None
    if found.type == "list":
        return _shape_node(found.item) if isinstance(part, int) else None
    if found.type == "map":
        return _shape_node(found.item)
    return None


def _shape_node(found: Shape) -> Node:
    values = tuple(sorted(found.enum)) if found.enum else ()
    return Node(found.name, keys=lambda value: list(_shape_keys(found)), values=values, shape=found)


def _shape_keys(found: Shape) -> Iterator[Key]:
    if found.type != "structure":
        return
    for name, member in found.members.items():
        opening = {"structure": "{", "map": "{", "list": "[", "string": '"'}.get(member.type, "")
        yield Key(name, words.type_of(member), "", name in found.required, (found.name, name), opening)


# -- the frame around arguments --------------------------------------------------------------------


@dataclass(frozen=True)
class _Frame:
    """An object with fixed keys."""

    name: str
    keys: tuple[Key, ...]
    nodes: dict[str, Node] = field(default_factory=dict)

    def node(self) -> Node:
        return Node(
            self.name,
            keys=lambda value: list(self.keys),
            enter=lambda part, value: self.nodes.get(str(part)),
        )


def _list_of(name: str, item: Callable[[JSON], Node | None]) -> Node:
    return Node(name, enter=lambda part, value: item(_child(value, part)) if isinstance(part, int) else None)


REFERENCE = Node("reference", names="reference")
_ANY = Node("value")
_STEP_NAME = Node("step name", names="step")
JOIN = _Frame(
    "Std:Join",
    (
        Key("On", "string", "What stands between the values.", opening='"'),
        Key("Values", "array", "Strings, numbers and references, in order.", True, opening="["),
    ),
    {"On": _ANY, "Values": _list_of("values", lambda value: _ANY)},
).node()
JSON_GET = _Frame(
    "Std:JsonGet",
    (
        Key("PropertyFile", "object", "A Get of `Steps.<step>.PropertyFiles.<file>`.", opening="{"),
        Key("S3Uri", "string", "An object in S3, in place of PropertyFile.", opening='"'),
        Key("Path", "string", "A JSON path within the file: a literal string.", True, opening='"'),
    ),
    {"PropertyFile": _ANY, "S3Uri": _ANY, "Path": _ANY},
).node()
_PARAMETER = _Frame(
    "parameter",
    (
        Key("Name", "string", "Letters, digits, - and _.", True, opening='"'),
        Key("Type", "string", "String, Integer, Float or Boolean.", opening='"'),
        Key("DefaultValue", "value", "Without it, the parameter must be given at every start."),
        Key("EnumValues", "array of strings", "All values that a String may have.", opening="["),
    ),
    {
        "Type": Node("type", values=("String", "Integer", "Float", "Boolean")),
        "DefaultValue": Node("default", names="enum"),
    },
).node()
_CACHE = _Frame(
    "cache",
    (
        Key("Enabled", "boolean", "Whether results of an earlier run are used again.", True),
        Key("ExpireAfter", "string", 'How long they are good: an ISO 8601 duration, "P30D".', opening='"'),
    ),
    {"Enabled": Node("boolean", values=("true", "false"))},
).node()
_RETRY = _Frame(
    "retry policy",
    (
        Key("ExceptionType", "array of strings", "What is tried again.", True, opening="["),
        Key("IntervalSeconds", "integer", "Seconds before the first retry, 0 to 43,200."),
        Key("BackoffRate", "number", "What each following interval is multiplied by."),
        Key("MaxAttempts", "integer", "1 to 20; either this or ExpireAfterMin."),
        Key("ExpireAfterMin", "integer", "Minutes, 0 to 14,400; either this or MaxAttempts."),
    ),
    {"ExceptionType": _list_of("exceptions", lambda value: Node("exception", values=EXCEPTION_TYPES))},
).node()
_PROPERTY_FILE = _Frame(
    "property file",
    (
        Key("PropertyFileName", "string", "What JsonGet calls it.", True, opening='"'),
        Key("OutputName", "string", "The output of this step that holds the file.", True, opening='"'),
        Key("FilePath", "string", "Its path within the output.", True, opening='"'),
    ),
    {"OutputName": Node("output", names="output")},
).node()
_OUTPUT = _Frame(
    "output",
    (
        Key("OutputName", "string", "What `OutputParameters['...']` calls it.", True, opening='"'),
        Key("OutputType", "string", "String, Integer, Float or Boolean.", True, opening='"'),
    ),
    {"OutputType": Node("type", values=("String", "Integer", "Float", "Boolean"))},
).node()
_EXPERIMENT = _Frame(
    "experiment",
    (Key("ExperimentName", "string", opening='"'), Key("TrialName", "string", opening='"')),
    {"ExperimentName": _ANY, "TrialName": _ANY},
).node()


def _condition(value: JSON) -> Node:
    kind = value.get("Type") if isinstance(value, dict) else None
    listed = CONDITION_KEYS.get(kind) if isinstance(kind, str) else None
    if listed is None:
        listed = tuple(dict.fromkeys(key for group in CONDITION_KEYS.values() for key in group))
    openings = {"Values": "[", "Conditions": "[", "Condition": "{"}
    keys = [Key("Type", "string", "How the values are compared.", True, opening='"')]
    keys += [Key(name, "value", "", True, opening=openings.get(name, "")) for name in listed]

    def enter(part: str | int, inner: JSON) -> Node | None:
        if part == "Type":
            return Node("condition type", values=tuple(CONDITION_KEYS))
        if part == "Conditions":
            return _list_of("conditions", _condition)
        return _condition(_child(inner, part)) if part == "Condition" else _ANY

    return Node("condition", keys=lambda _: keys, enter=enter)


_STEP_WORDS = {
    "Name": Key("Name", "string", "Letters, digits, - and _; at most 64.", True, opening='"'),
    "Type": Key("Type", "string", "What kind of step it is.", True, opening='"'),
    "Arguments": Key("Arguments", "object", "The request that the step makes.", True, opening="{"),
    "DependsOn": Key("DependsOn", "array of step names", "Steps that must end first.", opening="["),
    "DisplayName": Key("DisplayName", "string", "What Studio shows in place of the name.", opening='"'),
    "Description": Key("Description", "string", opening='"'),
    "CacheConfig": Key("CacheConfig", "object", "Whether results are used again.", opening="{"),
    "RetryPolicies": Key("RetryPolicies", "array", "What is tried again when it fails.", opening="["),
    "PropertyFiles": Key("PropertyFiles", "array", "JSON files that JsonGet may read.", opening="["),
    "OutputParameters": Key("OutputParameters", "array", "What the step gives back.", opening="["),
}


def _step_keys(value: JSON) -> list[Key]:
    kind = KINDS.get(str(value.get("Type"))) if isinstance(value, dict) else None
    if kind is None:
        return [_STEP_WORDS[name] for name in ("Name", "Type", "Arguments", "DependsOn")]
    found = []
    for name in kind.keys:
        if name == "CacheConfig" and not kind.cacheable:
            continue
        if name == "RetryPolicies" and not kind.retryable:
            continue
        if name == "PropertyFiles" and kind.type != "Processing":
            continue
        opening = '"' if dict(kind.fields).get(name) == "String" else ""
        found.append(_STEP_WORDS.get(name) or Key(name, dict(kind.fields).get(name, ""), opening=opening))
    return found


def _enter_step(part: str | int, value: JSON) -> Node | None:
    kind = value.get("Type") if isinstance(value, dict) else None
    match part:
        case "Type":
            return Node("step type", values=tuple(KINDS))
        case "DependsOn":
            return _list_of("steps", lambda item: _STEP_NAME)
        case "CacheConfig":
            return _CACHE
        case "RetryPolicies":
            return _list_of("retry policies", lambda item: _RETRY)
        case "PropertyFiles":
            return _list_of("property files", lambda item: _PROPERTY_FILE)
        case "OutputParameters":
            return _list_of("outputs", lambda item: _OUTPUT)
        case "Arguments":
            return _arguments(kind if isinstance(kind, str) else "")
    return _ANY


def _arguments(kind: str) -> Node | None:
    if kind == "Condition":
        return _CONDITION_ARGUMENTS
    found = request_shape(KINDS[kind].request) if kind in KINDS else None
    return _shape_node(found) if found is not None else None


_STEPS = _list_of("steps", lambda value: Node("step", keys=_step_keys, enter=_enter_step))
_CONDITION_ARGUMENTS = _Frame(
    "condition arguments",
    (
        Key("Conditions", "array", "All of them must hold.", True, opening="["),
        Key("IfSteps", "array", "Steps that run when the conditions hold.", opening="["),
        Key("ElseSteps", "array", "Steps that run when they do not.", opening="["),
    ),
    {"Conditions": _list_of("conditions", _condition), "IfSteps": _STEPS, "ElseSteps": _STEPS},
).node()
ROOT = _Frame(
    "definition",
    (
        Key("Version", "string", 'Always "2020-12-01".', True, opening='"'),
        Key("Metadata", "object", "Strings for your own use.", opening="{"),
        Key("Parameters", "array", "What can be given at a start.", opening="["),
        Key("PipelineExperimentConfig", "object", "Experiment and trial of the runs.", opening="{"),
        Key("Steps", "array", "What the pipeline does.", True, opening="["),
    ),
    {
        "Version": Node("version", values=("2020-12-01",)),
        "Parameters": _list_of("parameters", lambda value: _PARAMETER),
        "PipelineExperimentConfig": _EXPERIMENT,
        "Steps": _STEPS,
    },
).node()


def key_words(key: Key) -> str:
    """A key as Markdown."""
    if key.lookup is not None:
        from stepbridge.definition.service import shape

        owner, name = key.lookup
        try:
            return words.member(owner, name, shape(owner).members.get(name))
        except KeyError:
            return service_documentation(owner, name)
    head = f"**{key.name}** `{key.type}`" if key.type else f"**{key.name}**"
    return f"{head}\n\n{key.text}" if key.text else head
