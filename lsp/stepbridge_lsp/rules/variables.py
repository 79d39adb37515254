"""Rules on pipeline variables used as if they were values (P001 to P010).

A pipeline variable (a parameter, a step's property, Join, JsonGet, an execution variable, the result of a
function under @step) has no value while the program runs: it only gets one when the pipeline executes.
"""

from __future__ import annotations

from collections.abc import Iterator

from stepbridge_lsp.documents import syntax as s
from stepbridge_lsp.model import Misuse, MisuseKind
from stepbridge_lsp.positions import Span
from stepbridge_lsp.values import (
    ExecutionVariable,
    FunctionVariable,
    ParameterVariable,
    PropertyVariable,
    ReturnVariable,
    TextVariable,
    Variable,
    text_of,
)

from .context import Context, python_string
from .findings import Fix, Report, TextEdit
from .registry import rule


def described(variable: Variable) -> str:
    """A pipeline variable as messages name it, with its article."""
    match variable:
        case ParameterVariable():
            return "a pipeline parameter"
        case PropertyVariable():
            return "a property of a step"
        case FunctionVariable(object=made):
            return f"a {made.cls.name}"
        case ExecutionVariable():
            return "an execution variable"
        case ReturnVariable():
            return "the result of a step"
        case TextVariable(of=inner):
            return described(inner)
    return "a pipeline variable"


def _misuses(context: Context, *kinds: MisuseKind) -> Iterator[Misuse]:
    return (misuse for misuse in context.model.misuses if misuse.kind in kinds)


@rule(
    "P001",
    "error",
    "Pipeline variable in text",
    example='f"s3://{bucket}/data"  # bucket = ParameterString("Bucket")',
    source="V: TypeError: Pipeline variables do not support __str__; E 3123, 3495, 3391, 4243",
    moment="build",
)
def variable_in_text(context: Context) -> Iterator[Report]:
    """A pipeline variable has no value while the program runs, so that f-strings, `str()`, `%`, `format` and
    `print` raise TypeError. `Join` puts texts together when the pipeline executes."""
    for misuse in _misuses(context, "format"):
        what = described(misuse.variable)
        if misuse.detail == "print":
            yield Report(f"{what.capitalize()} cannot be printed: print its .expr instead.", misuse.span)
            continue
        message = f"{what.capitalize()} has no value yet and cannot become text here: use Join."
        yield Report(message, misuse.span, _text_fixes(context, misuse))


def _text_fixes(context: Context, misuse: Misuse) -> tuple[Fix, ...]:
    if misuse.detail == "str":
        inner = context.text(misuse.span)
        return context.replace(misuse.whole, f"{inner}.to_string()", "Replace by .to_string()")
    node = context.document.reader.read_expression(context.text(misuse.whole))
    if misuse.detail or not isinstance(node, s.Formatted):
        return ()
    text = context.text(misuse.whole).encode()
    values: list[str] = []
    for part in node.parts:
        if isinstance(part, str):
            values.append(python_string(part))
        elif part.conversion or part.spec or part.debug:
            return ()
        else:
            values.append(text[part.value.start : part.value.end].decode())
    return context.join(misuse.whole, values, "Replace the f-string by Join")


@rule(
    "P002",
    "error",
    "Concatenation of a pipeline variable",
    example='output = bucket_uri + "/train"',
    source='V: TypeError "Pipeline variables do not support concatenation."',
    moment="build",
)
def concatenation(context: Context) -> Iterator[Report]:
    """`+` on a pipeline variable raises TypeError. `Join` concatenates when the pipeline executes."""
    for misuse in _misuses(context, "add"):
        message = f"{described(misuse.variable).capitalize()} cannot be concatenated: use Join."
        yield Report(message, misuse.span, _chain_fix(context, misuse.whole))


def _chain_fix(context: Context, whole: Span) -> tuple[Fix, ...]:
    node = context.document.reader.read_expression(context.text(whole))
    around = (
        context.source[max(0, whole.start - 24) : whole.start],
        context.source[whole.end : whole.end + 24],
    )
    if (
        not isinstance(node, s.Binary)
        or around[0].rstrip().endswith(b"+")
        or around[1].lstrip().startswith(b"+")
    ):
        return ()
    text = context.text(whole).encode()
    terms = [text[term.start : term.end].decode() for term in _terms(node)]
    return context.join(whole, terms, "Replace the concatenation by Join")


def _terms(node: s.Node) -> Iterator[s.Node]:
    if isinstance(node, s.Binary) and node.operator == "+":
        yield from _terms(node.left)
        yield from _terms(node.right)
    else:
        yield node


@rule(
    "P003",
    "error",
    "Pipeline variable as a number",
    example="for i in range(rounds):  # rounds = ParameterInteger(...)",
    source="V: TypeError",
    moment="build",
)
def as_number(context: Context) -> Iterator[Report]:
    """`int()`, `float()`, `range()`, `len()`, arithmetic and `<` need a value; a pipeline variable has none
    while the program runs."""
    for misuse in _misuses(context, "number"):
        what = described(misuse.variable).capitalize()
        yield Report(f'{what} has no value yet: "{misuse.detail}" does not work on it.', misuse.span)


@rule(
    "P004",
    "warning",
    "Comparison with a pipeline variable",
    example='if environment == "prod":',
    source='V: ParameterString("E") == "prod" is False',
    moment="never",
)
def comparison(context: Context) -> Iterator[Report]:
    """`==` on a pipeline variable compares the object, not the value it will have: it is always False (and
    `!=` always True). A ConditionStep compares when the pipeline executes."""
    for misuse in _misuses(context, "compare"):
        outcome = "True" if misuse.detail in ("!=", "<>", "not in") else "False"
        what = described(misuse.variable)
        yield Report(
            f'"{misuse.detail}" on {what} is always {outcome}: it has no value yet. Use a ConditionStep.',
            misuse.whole,
        )


@rule(
    "P005",
    "warning",
    "Truth of a pipeline variable",
    example="if use_gpu:  # use_gpu = ParameterBoolean(...)",
    source="V: bool(ParameterBoolean(default_value=False)) is True",
    moment="never",
)
def truth(context: Context) -> Iterator[Report]:
    """A pipeline variable is always true, a ParameterBoolean whose default is False too. A ConditionStep
    decides when the pipeline executes."""
    for misuse in _misuses(context, "truth"):
        what = described(misuse.variable)
        yield Report(f"{what.capitalize()} is always true here: it has no value yet.", misuse.span)


@rule(
    "P006",
    "error",
    "Pipeline variable as a string or container",
    example='bucket.startswith("s3://")',
    source="V: AttributeError; not subscriptable; not iterable",
    moment="build",
)
def as_container(context: Context) -> Iterator[Report]:
    """A pipeline variable has no string methods, no items and cannot be iterated."""
    for misuse in _misuses(context, "string-method", "subscript", "iterate"):
        if isinstance(misuse.variable, ReturnVariable):
            continue  # P164
        what = described(misuse.variable).capitalize()
        if misuse.kind == "string-method":
            message = f'{what} is no string: it has no method "{misuse.detail}".'
        elif misuse.kind == "subscript":
            message = f"{what} has no value yet and cannot be subscripted."
        else:
            message = f"{what} has no value yet and cannot be iterated."
        yield Report(message, misuse.span)


@rule(
    "P007",
    "error",
    "Pipeline variable handed to a text function",
    example='os.path.join(prefix, "train")',
    source="V: TypeError",
    moment="build",
)
def in_library(context: Context) -> Iterator[Report]:
    """`os.path.join`, `json.dumps`, `str.join` and the like need strings; a pipeline variable is none."""
    for misuse in _misuses(context, "library"):
        what = described(misuse.variable).capitalize()
        message = f"{what} is no string: {misuse.detail} does not take it. Use Join."
        yield Report(message, misuse.span, _path_fix(context, misuse))


def _path_fix(context: Context, misuse: Misuse) -> tuple[Fix, ...]:
    node = context.document.reader.read_expression(context.text(misuse.whole))
    if misuse.detail != "os.path.join" or not isinstance(node, s.CallNode) or not context.own(misuse.whole):
        return ()
    if any(arg.stars or arg.name for arg in node.arguments):
        return ()
    text = context.text(misuse.whole).encode()
    name, edits = context.importing("Join")
    values = ", ".join(text[arg.start : arg.end].decode() for arg in node.arguments)
    edit = TextEdit(misuse.whole, f'{name}(on="/", values=[{values}])')
    return (Fix("Replace by Join", (*edits, edit)),)


@rule(
    "P008",
    "warning",
    "repr of a pipeline variable",
    example='f"{bucket!r}"',
    source='V; E 2978: "ParameterString(name=...)" in a definition',
    moment="run",
)
def representation(context: Context) -> Iterator[Report]:
    """`repr` of a pipeline variable is the text `ParameterString(name=...)`, which then stands in the
    definition.
    """
    for misuse in _misuses(context, "repr"):
        yield Report(
            f"This writes how {described(misuse.variable)} is made, not the value it will have: use Join.",
            misuse.span,
        )


@rule(
    "P009",
    "warning",
    "Default value instead of the parameter",
    example="SKLearnProcessor(instance_type=instance_type.default_value, ...)",
    source="inferred from the SDK: a literal goes into the definition",
    moment="never",
)
def default_value(context: Context) -> Iterator[Report]:
    """`parameter.default_value` in an argument puts the default itself into the definition: a value given
    when the pipeline starts has no effect there."""
    reads = context.document.analysis.found.defaults_read
    if not reads:
        return
    given = {
        argument.span: (call, argument.name)
        for call in context.model.calls
        if call.receiver is not None or call.target.name[:1].isupper()
        for argument in call.arguments
    }
    for span, variable in reads.items():
        call, name = given.get(span, (None, None))
        if call is None or call.target.name.endswith(".start") or call.target.name.startswith("Parameter"):
            continue
        if call.target.name == "SKLearn" and name == "instance_count":
            continue  # it refuses pipeline variables there
        yield Report(
            f'This is the default of the parameter "{_name(variable)}" as it is now: what is given when the '
            "pipeline starts has no effect.",
            span,
            context.replace(
                span, context.text(span).removesuffix(".default_value"), "Use the parameter", safe=False
            ),
        )


def _name(variable: ParameterVariable) -> str:
    return text_of(variable.object.call.value("name")) or "?"


@rule(
    "P010",
    "warning",
    "Pipeline variable as a key",
    example="{rounds: 1}  # rounds = ParameterInteger(...)",
    source="V: unhashable type: 'ParameterInteger'",
    moment="build",
)
def as_key(context: Context) -> Iterator[Report]:
    """Most pipeline variables cannot be hashed: as keys of a dictionary or items of a set they raise
    TypeError.
    """
    for misuse in _misuses(context, "key"):
        if _unhashable(misuse.variable):
            what = described(misuse.variable).capitalize()
            yield Report(f"{what} cannot be a key: it is not hashable.", misuse.span)


def _unhashable(variable: Variable) -> bool:
    if isinstance(variable, ParameterVariable):
        return variable.object.cls.major == "v2" and variable.object.cls.name != "ParameterString"
    return isinstance(variable, FunctionVariable | ExecutionVariable | TextVariable)
