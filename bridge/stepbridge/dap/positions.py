"""Where a pipeline's steps stand in its program's text: a breakpoint needs the step of a line, a stack frame
the line of a step.

Reads text only and runs nothing; names that the program computes are matched by the parts that are literal.
Knows no session and no breakpoint.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import tree_sitter
import tree_sitter_json
from msgspec import Struct
from msgspec.structs import replace

ANYTHING = ".+"
FILE_LIMIT = 200  # files of the program that are looked at, so that a huge workspace stays quick

# what the SDK's constructors make; only needed where a name is computed entirely
_TYPES = {
    "AutoMLStep": {"AutoML"},
    "CallbackStep": {"Callback"},
    "ClarifyCheckStep": {"ClarifyCheck"},
    "ConditionStep": {"Condition"},
    "CreateModelStep": {"Model"},
    "EMRServerlessStep": {"EMRServerless"},
    "EMRStep": {"EMR"},
    "FailStep": {"Fail"},
    "LambdaStep": {"Lambda"},
    "ModelStep": {"Model", "RegisterModel", "Training"},
    "NotebookJobStep": {"Training"},
    "ProcessingStep": {"Processing"},
    "QualityCheckStep": {"QualityCheck"},
    "TrainingStep": {"Training"},
    "TransformStep": {"Transform"},
    "TuningStep": {"Tuning"},
}
_CONSTRUCTOR = re.compile(r"step$|^RegisterModel$|^EstimatorTransformer$", re.IGNORECASE)
_PARAMETER = re.compile(r"^Parameter(String|Integer|Float|Boolean)$")


class StepPosition(Struct, frozen=True):
    """A place that makes a step.

    name: as written out, "" where the program computes it. pattern: matches the step's name. literal: how
    many characters of the pattern are literal, so that the most specific place wins. Lines count from 1.
    """

    path: Path
    line: int
    end_line: int
    name: str
    pattern: str
    literal: int
    kind: str  # the constructor's name, "" in a definition
    variable: str = ""

    def makes(self, step: str, step_type: str = "") -> bool:
        types = _TYPES.get(self.kind)
        if self.pattern == ANYTHING and (types is None or (step_type and step_type not in types)):
            return False
        # step collections name their parts after themselves: Wine-CreateModel, Wine-RepackModel-0
        return re.fullmatch(rf"{self.pattern}(-\S+)?", step, re.DOTALL) is not None


class ProgramText(Struct, frozen=True):
    """What one file of a pipeline says: its steps, in the order of their lines, and its variables.

    variables: name -> expression of a step or parameter it stands for ("Steps.Train", "Parameters.Trees").
    """

    steps: tuple[StepPosition, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()

    def at(self, line: int) -> StepPosition | None:
        """The innermost step on that line."""
        found = [step for step in self.steps if step.line <= line <= step.end_line]
        return min(found, key=lambda step: step.end_line - step.line) if found else None


class Positions:
    """Positions of a workspace's files; a file is read again when it changed."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[tuple[int, int], ProgramText]] = {}

    def of(self, path: Path) -> ProgramText:
        """Empty for a file that cannot be read or is neither Python nor a definition."""
        try:
            stat = path.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            known = self._known.get(path)
            if known is None or known[0] != stamp:
                known = self._known[path] = (stamp, read(path, path.read_text("utf-8")))
        except (OSError, UnicodeDecodeError):
            return ProgramText()
        return known[1]

    def find(self, step: str, step_type: str, files: Iterable[Path]) -> StepPosition | None:
        """The place that makes a step, most specific first, then in the order of `files`."""
        found = [place for file in files for place in self.of(file).steps if place.makes(step, step_type)]
        return max(found, key=lambda place: place.literal, default=None)


def read(path: Path, text: str) -> ProgramText:
    """What a program or a definition says; nothing where it has a syntax error (it could not run either)."""
    if path.suffix == ".json":
        return _read_definition(path, text)
    if path.suffix != ".py":
        return ProgramText()
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return ProgramText()
    return _PythonReader(path, tree).read()


def program_files(program: Path) -> list[Path]:
    """A program and the local modules it imports, nearest first. Reads imports only, runs nothing."""
    files: dict[Path, None] = {program: None}
    pending = [program]
    while pending and len(files) < FILE_LIMIT:
        for found in _imports(pending.pop(0), program.parent):
            if found not in files:
                files[found] = None
                pending.append(found)
    return list(files)


def _imports(file: Path, root: Path) -> Iterator[Path]:
    try:
        tree = ast.parse(file.read_text("utf-8"))
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module(root, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = file.parents[node.level - 1] if 0 < node.level <= len(file.parents) else root
            module = node.module or ""
            yield from _module(base, module)
            for alias in node.names:
                yield from _module(base, f"{module}.{alias.name}" if module else alias.name)


def _module(root: Path, name: str) -> Iterator[Path]:
    path = root.joinpath(*name.split(".")) if name else root
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            yield candidate


class _Name(Struct, frozen=True):
    """A step's name as far as the text tells: see StepPosition."""

    text: str
    pattern: str
    literal: int


_UNKNOWN = _Name("", ANYTHING, 0)


class _PythonReader:
    """Finds steps and parameters in one module's syntax tree."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        self._path = path
        self._tree = tree
        self._constants = _string_constants(tree)
        self._steps: list[StepPosition] = []
        self._variables: dict[str, str] = {}

    def read(self) -> ProgramText:
        for node in ast.walk(self._tree):
            if isinstance(node, ast.stmt):
                self._statement(node)
        steps = sorted(self._steps, key=lambda step: (step.line, -step.end_line))
        return ProgramText(tuple(steps), tuple(self._variables.items()))

    def _statement(self, node: ast.stmt) -> None:
        if isinstance(node, ast.FunctionDef):
            self._decorated(node)
            return
        target = _target(node)
        value = getattr(node, "value", None)
        for call in _calls(node):
            position = self._constructor(call)
            if position is None:
                if call is value and target:
                    self._parameter(call, target)
                continue
            if call is value:
                position = replace(position, line=node.lineno, variable=target)
                if target and position.name:
                    self._variables[target] = f"Steps.{position.name}"
            self._steps.append(position)

    def _constructor(self, call: ast.Call) -> StepPosition | None:
        kind = _callee(call)
        if not kind or not _CONSTRUCTOR.search(kind):
            return None
        name = next((k.value for k in call.keywords if k.arg == "name"), None)
        if name is None and call.args and isinstance(call.args[0], ast.Constant | ast.JoinedStr):
            name = call.args[0]
        if name is None:
            return None
        found = self._name(name)
        end = call.end_lineno or call.lineno
        return StepPosition(self._path, call.lineno, end, found.text, found.pattern, found.literal, kind)

    def _decorated(self, node: ast.FunctionDef) -> None:
        """`@step` functions: the lines before the body stand for the step, the body runs inside of it."""
        for decorator in node.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else None
            if _dotted_tail(call.func if call else decorator) != "step":
                continue
            given = next((k.value for k in call.keywords if k.arg == "name"), None) if call else None
            name = self._name(given) if given else _literal(node.name)
            end = max(node.lineno, node.body[0].lineno - 1)
            self._steps.append(
                StepPosition(
                    self._path,
                    decorator.lineno,
                    end,
                    name.text,
                    name.pattern,
                    name.literal,
                    "@step",
                    node.name,
                )
            )

    def _parameter(self, call: ast.Call, variable: str) -> None:
        if not _PARAMETER.match(_callee(call)):
            return
        name = next((k.value for k in call.keywords if k.arg == "name"), call.args[0] if call.args else None)
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            self._variables[variable] = f"Parameters.{name.value}"

    def _name(self, node: ast.expr) -> _Name:
        match node:
            case ast.Constant(value=str(text)):
                return _literal(text)
            case ast.Name(id=name) if name in self._constants:
                return _literal(self._constants[name])
            case ast.JoinedStr(values=values):
                return _joined([self._name(_inner(value)) for value in values])
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _joined([self._name(left), self._name(right)])
        return _UNKNOWN


def _joined(parts: list[_Name]) -> _Name:
    literal = sum(part.literal for part in parts)
    if not literal:
        return _UNKNOWN
    known = all(part.text for part in parts)
    text = "".join(part.text for part in parts) if known else ""
    return _Name(text, "".join(part.pattern for part in parts), literal)


def _literal(text: str) -> _Name:
    return _Name(text, re.escape(text), len(text))


def _string_constants(tree: ast.Module) -> dict[str, str]:
    """Names that are bound once in the whole module, to a string."""
    bound: dict[str, str | None] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound[node.id] = None if node.id in bound else ""
        elif isinstance(node, ast.arg):
            bound[node.arg] = None
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=str(text))):
                if bound.get(name) == "":
                    bound[name] = text
    return {name: text for name, text in bound.items() if text}


def _inner(part: ast.expr) -> ast.expr:
    return part.value if isinstance(part, ast.FormattedValue) else part


def _target(node: ast.stmt) -> str:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return name
    return ""


def _calls(node: ast.stmt) -> Iterator[ast.Call]:
    """The calls of a statement, without those of statements inside of it."""
    pending: list[ast.AST] = [
        child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt)
    ]
    while pending:
        current = pending.pop(0)
        if isinstance(current, ast.Call):
            yield current
        pending.extend(child for child in ast.iter_child_nodes(current) if not isinstance(child, ast.stmt))


def _callee(call: ast.Call) -> str:
    return _dotted_tail(call.func)


def _dotted_tail(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


# definitions (JSON)


def _read_definition(path: Path, text: str) -> ProgramText:
    """Objects in a `Steps`, `IfSteps` or `ElseSteps` array, from their first line to their last."""
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_json.language()))
    steps = []
    pending = [parser.parse(text.encode()).root_node]
    while pending:
        node = pending.pop()
        pending.extend(node.children)
        if node.type != "object" or not _in_steps(node):
            continue
        name = _member(node, "Name")
        if name:
            found = _literal(name)
            line, end = node.start_point[0] + 1, node.end_point[0] + 1
            steps.append(StepPosition(path, line, end, name, found.pattern, found.literal, ""))
    return ProgramText(tuple(sorted(steps, key=lambda step: (step.line, -step.end_line))))


def _in_steps(node: tree_sitter.Node) -> bool:
    pair = node.parent.parent if node.parent and node.parent.type == "array" else None
    key = pair.child_by_field_name("key") if pair and pair.type == "pair" else None
    return key is not None and key.text in (b'"Steps"', b'"IfSteps"', b'"ElseSteps"')


def _member(node: tree_sitter.Node, name: str) -> str:
    for pair in node.children:
        key, value = pair.child_by_field_name("key"), pair.child_by_field_name("value")
        if key is None or value is None or key.text != f'"{name}"'.encode() or value.type != "string":
            continue
        return (value.text or b"").decode()[1:-1]
    return ""
