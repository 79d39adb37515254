"""From tree-sitter's tree of Python to `syntax`."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

from . import syntax as s

TsNode = Any  # tree_sitter.Node; its stubs make every attribute optional
_DEPTH = 120  # nesting beyond this is unknown; it keeps recursion far from Python's limit


def lower(text: bytes, root: TsNode, known: dict[bytes, s.Statement]) -> s.Block:
    """The statements of a text that parsed. `known` remembers statements by their text."""
    return s.Block(_Lowering(text, 0, known).block_items(root))


class _Lowering:
    """Lowers the nodes of one statement; `base` is the statement's offset in the text."""

    __slots__ = ("base", "depth", "known", "mentions", "text")

    def __init__(self, text: bytes, base: int, known: dict[bytes, s.Statement]) -> None:
        self.text = text
        self.base = base
        self.known = known
        self.depth = 0
        self.mentions: set[str] = set()

    def block_items(self, node: TsNode) -> list[tuple[int, s.Statement]]:
        """Statements of a module or block, with offsets from this lowering's base."""
        items: list[tuple[int, s.Statement]] = []
        for child in node.named_children:
            if child.type in ("comment", "line_continuation"):
                continue
            items.append((child.start_byte - self.base, self.statement(child)))
        return items

    def block(self, node: TsNode | None) -> s.Block:
        return s.Block(self.block_items(node)) if node is not None else s.EMPTY

    def statement(self, node: TsNode) -> s.Statement:
        start, end = node.start_byte, node.end_byte
        text = self.text[start:end]
        found = self.known.get(text)
        if found is None:
            inner = _Lowering(self.text, start, self.known)
            found = inner.lower_statement(node)
            found.mentions = frozenset(inner.mentions)
            self.known[text] = found
        self.mentions.update(found.mentions or ())
        return found

    def lower_statement(self, node: TsNode) -> s.Statement:
        handler = _STATEMENTS.get(node.type)
        if handler is not None:
            return handler(self, node)
        return s.Evaluate(_length(node), [self.expression(child) for child in node.named_children], [])

    def expression(self, node: TsNode) -> s.Node:
        handler = _EXPRESSIONS.get(node.type)
        start, end = node.start_byte - self.base, node.end_byte - self.base
        if self.depth > _DEPTH:
            return s.Other(start, end, [])
        if handler is None:
            return self.other(node, start, end)
        self.depth += 1
        try:
            return handler(self, node, start, end)
        finally:
            self.depth -= 1

    def other(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Other(start, end, [self.expression(child) for child in node.named_children])

    def string_of(self, node: TsNode) -> str:
        return self.text[node.start_byte : node.end_byte].decode("utf-8", "replace")

    # -- expressions -------------------------------------------------------------------------------

    def name(self, node: TsNode, start: int, end: int) -> s.Node:
        name = self.string_of(node)
        self.mentions.add(name)
        return s.Name(start, end, name)

    def number(self, node: TsNode, start: int, end: int) -> s.Node:
        try:
            value = ast.literal_eval(self.string_of(node))
        except (ValueError, SyntaxError):
            return s.Other(start, end, [])
        return s.Literal(start, end, value) if isinstance(value, int | float) else s.Other(start, end, [])

    def constant(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Literal(start, end, {"true": True, "false": False, "none": None}[node.type])

    def string(self, node: TsNode, start: int, end: int) -> s.Node:
        parts = self.string_parts(node)
        if parts is None:
            return s.Other(start, end, [])
        if isinstance(parts, bytes):
            return s.Literal(start, end, parts)
        if all(isinstance(part, str) for part in parts):
            text = "".join(part for part in parts if isinstance(part, str))
            return s.Literal(start, end, text, self.inner_of(node, text))
        return s.Formatted(start, end, parts)

    def inner_of(self, node: TsNode, value: str) -> tuple[int, int] | None:
        """Where a plain string's characters stand, if they are the value itself (no escapes)."""
        first, last = node.children[0], node.children[-1]
        if first.type != "string_start" or last.type != "string_end":
            return None
        start, end = first.end_byte, last.start_byte
        if self.text[start:end] != value.encode("utf-8", "replace"):
            return None
        return start - self.base, end - self.base

    def string_parts(self, node: TsNode) -> list[str | s.Interpolation] | bytes | None:
        prefix = self.string_of(node.children[0]).rstrip("\"'").lower()
        if "f" not in prefix:
            return self.plain_string(node, prefix)
        parts: list[str | s.Interpolation] = []
        for child in node.children[1:-1]:
            if child.type == "interpolation":
                parts.append(self.interpolation(child))
            else:
                parts.append(self.string_of(child).replace("{{", "{").replace("}}", "}"))
        return parts

    def plain_string(self, node: TsNode, prefix: str) -> list[str | s.Interpolation] | bytes | None:
        text = self.string_of(node)
        if "\\" not in text and prefix in ("", "u", "r") and "\r" not in text:
            first, last = node.children[0], node.children[-1]
            return [self.text[first.end_byte : last.start_byte].decode("utf-8", "replace")]
        try:
            value = ast.literal_eval(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        return value if isinstance(value, bytes) else [str(value)]

    def interpolation(self, node: TsNode) -> s.Interpolation:
        value = node.child_by_field_name("expression")
        conversion = node.child_by_field_name("type_conversion")
        return s.Interpolation(
            node.start_byte - self.base,
            node.end_byte - self.base,
            self.expression(value) if value is not None else s.Other(0, 0, []),
            self.string_of(conversion)[1:] if conversion is not None else "",
            any(child.type == "=" for child in node.children),
            node.child_by_field_name("format_specifier") is not None,
        )

    def concatenated(self, node: TsNode, start: int, end: int) -> s.Node:
        parts: list[str | s.Interpolation] = []
        for child in node.named_children:
            if child.type != "string":
                continue
            piece = self.string_parts(child)
            if piece is None or isinstance(piece, bytes):
                return s.Other(start, end, [])
            parts += piece
        if all(isinstance(part, str) for part in parts):
            return s.Literal(start, end, "".join(part for part in parts if isinstance(part, str)))
        return s.Formatted(start, end, parts)

    def parenthesized(self, node: TsNode, start: int, end: int) -> s.Node:
        inner = [child for child in node.named_children if child.type != "comment"]
        if len(inner) != 1:
            return self.other(node, start, end)
        return self.expression(inner[0])

    def items(self, node: TsNode) -> list[s.Node]:
        return [self.expression(child) for child in node.named_children if child.type != "comment"]

    def list_(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Sequence(start, end, "list", self.items(node))

    def tuple_(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Sequence(start, end, "tuple", self.items(node))

    def set_(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Sequence(start, end, "set", self.items(node))

    def starred(self, node: TsNode, start: int, end: int) -> s.Node:
        return s.Starred(start, end, self.expression(node.named_children[0]))

    def dictionary(self, node: TsNode, start: int, end: int) -> s.Node:
        entries: list[tuple[s.Node | None, s.Node]] = []
        for child in node.named_children:
            if child.type == "pair":
                key, value = child.child_by_field_name("key"), child.child_by_field_name("value")
                entries.append((self.expression(key), self.expression(value)))
            elif child.type == "dictionary_splat":
                entries.append((None, self.expression(child.named_children[0])))
        return s.Mapping(start, end, entries)

    def call(self, node: TsNode, start: int, end: int) -> s.Node:
        arguments = node.child_by_field_name("arguments")
        function = self.expression(node.child_by_field_name("function"))
        if arguments.type != "argument_list":  # f(x for x in y)
            only = self.expression(arguments)
            args = [s.Arg(only.start, only.end, only)]
        else:
            args = [self.argument(child) for child in arguments.named_children if child.type != "comment"]
        inside = arguments.start_byte - self.base, arguments.end_byte - self.base
        return s.CallNode(start, end, function, args, *inside)

    def argument(self, node: TsNode) -> s.Arg:
        start, end = node.start_byte - self.base, node.end_byte - self.base
        if node.type == "keyword_argument":
            name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
            lowered = self.expression(value)
            name_place = name.start_byte - self.base, name.end_byte - self.base
            return s.Arg(lowered.start, lowered.end, lowered, self.string_of(name), *name_place)
        stars = {"list_splat": 1, "dictionary_splat": 2}.get(node.type, 0)
        value = node.named_children[0] if stars else node
        return s.Arg(start, end, self.expression(value), stars=stars)

    def attribute(self, node: TsNode, start: int, end: int) -> s.Node:
        name = node.child_by_field_name("attribute")
        value = self.expression(node.child_by_field_name("object"))
        place = name.start_byte - self.base, name.end_byte - self.base
        return s.Attribute(start, end, value, self.string_of(name), *place)

    def subscript(self, node: TsNode, start: int, end: int) -> s.Node:
        value = self.expression(node.child_by_field_name("value"))
        indexes = node.children_by_field_name("subscript")
        inner = [self.expression(index) for index in indexes]
        single = len(inner) == 1 and indexes[0].type not in ("slice", "list_splat")
        return s.Subscript(start, end, value, inner[0] if single else None, inner)

    def binary(self, node: TsNode, start: int, end: int) -> s.Node:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        operator = self.string_of(node.child_by_field_name("operator"))
        return s.Binary(start, end, operator, self.expression(left), self.expression(right))

    def unary(self, node: TsNode, start: int, end: int) -> s.Node:
        operand = self.expression(node.child_by_field_name("argument"))
        operator = "not" if node.type == "not_operator" else self.string_of(node.children[0])
        return s.Unary(start, end, operator, operand)

    def compare(self, node: TsNode, start: int, end: int) -> s.Node:
        operators = [child.type for child in node.children_by_field_name("operators")]
        operands = [self.expression(child) for child in node.named_children if child.type not in operators]
        return s.Compare(start, end, operands, operators)

    def conditional(self, node: TsNode, start: int, end: int) -> s.Node:
        parts = [child for child in node.named_children if child.type != "comment"]
        if len(parts) != 3:
            return self.other(node, start, end)
        body, test, otherwise = (self.expression(part) for part in parts)
        return s.Conditional(start, end, test, body, otherwise)

    def comprehension(self, node: TsNode, start: int, end: int) -> s.Node:
        body = node.child_by_field_name("body")
        clauses: list[tuple[s.Node, s.Node]] = []
        conditions: list[s.Node] = []
        for child in node.named_children:
            if child.type == "for_in_clause":
                left, right = child.child_by_field_name("left"), child.child_by_field_name("right")
                if left is not None and right is not None:
                    clauses.append((self.expression(left), self.expression(right)))
            elif child.type == "if_clause":
                conditions += [self.expression(part) for part in child.named_children]
        parts = body.named_children if body is not None and body.type == "pair" else [body]
        elements = [self.expression(part) for part in parts if part is not None]
        kind = node.type.split("_")[0]
        return s.Comprehension(
            start, end, "dict" if kind == "dictionary" else kind, elements, clauses, conditions
        )

    def lambda_(self, node: TsNode, start: int, end: int) -> s.Node:
        parameters = self.parameters(node.child_by_field_name("parameters"))
        return s.LambdaNode(start, end, parameters, self.expression(node.child_by_field_name("body")))

    def walrus(self, node: TsNode, start: int, end: int) -> s.Node:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        return s.Walrus(start, end, self.string_of(name), self.expression(value))

    def as_pattern(self, node: TsNode, start: int, end: int) -> s.Node:
        return self.expression(node.named_children[0])

    def parameters(self, node: TsNode | None) -> s.Parameters:
        formals: list[s.Formal] = []
        kind: Any = "positional"
        for child in node.named_children if node is not None else ():
            match child.type:
                case "identifier":
                    formals.append(s.Formal(self.string_of(child), kind, None))
                case "default_parameter" | "typed_default_parameter":
                    name, value = child.child_by_field_name("name"), child.child_by_field_name("value")
                    formals.append(s.Formal(self.string_of(name), kind, self.expression(value)))
                case "list_splat_pattern" | "keyword_separator":
                    if child.named_children:
                        formals.append(s.Formal(self.string_of(child.named_children[0]), "many", None))
                    kind = "keyword"
                case "dictionary_splat_pattern":
                    formals.append(s.Formal(self.string_of(child.named_children[0]), "keywords", None))
                case "typed_parameter":
                    kind = self.typed_parameter(child, formals, kind)
        return s.Parameters(formals)

    def typed_parameter(self, node: TsNode, formals: list[s.Formal], kind: Any) -> Any:
        inner = node.named_children[0]
        if inner.type == "identifier":
            formals.append(s.Formal(self.string_of(inner), kind, None))
            return kind
        splat = "many" if inner.type == "list_splat_pattern" else "keywords"
        formals.append(s.Formal(self.string_of(inner.named_children[0]), splat, None))  # type: ignore[arg-type]
        return "keyword" if splat == "many" else kind

    # -- statements --------------------------------------------------------------------------------

    def expression_statement(self, node: TsNode) -> s.Statement:
        children = [child for child in node.named_children if child.type != "comment"]
        if len(children) != 1:
            parts = [self.expression(child) for child in children]
            return s.Expression(_length(node), s.Other(0, _length(node), parts))
        child = children[0]
        if child.type == "assignment":
            return self.assignment(child)
        if child.type == "augmented_assignment":
            left, right = child.child_by_field_name("left"), child.child_by_field_name("right")
            operator = self.string_of(child.child_by_field_name("operator"))[:-1]
            target = self.expression(left)
            return s.AugmentedAssign(_length(node), target, operator, self.expression(right))
        return s.Expression(_length(node), self.expression(child))

    def assignment(self, node: TsNode) -> s.Statement:
        targets: list[s.Node] = []
        annotated = node.child_by_field_name("type") is not None
        length = _length(node)
        while node is not None and node.type == "assignment":
            targets.append(self.expression(node.child_by_field_name("left")))
            node = node.child_by_field_name("right")
        return s.Assign(length, targets, self.expression(node) if node is not None else None, annotated)

    def import_(self, node: TsNode) -> s.Statement:
        names = [self.imported(child) for child in node.named_children]
        self.mentions.update(f"import {item.name}" for item in names)
        return s.ImportModules(_length(node), names)

    def import_from(self, node: TsNode) -> s.Statement:
        module = node.child_by_field_name("module_name")
        star = any(child.type == "wildcard_import" for child in node.named_children)
        names = [self.imported(child) for child in node.children_by_field_name("name")]
        if module is None:
            return s.ImportFrom(_length(node), "__future__", 0, 0, names, star)
        start, end = module.start_byte - self.base, module.end_byte - self.base
        text = "".join(self.string_of(module).split())
        self.mentions.add(f"import {text}")
        return s.ImportFrom(_length(node), text, start, end, names, star)

    def imported(self, node: TsNode) -> s.ImportedName:
        start, end = node.start_byte - self.base, node.end_byte - self.base
        if node.type == "aliased_import":
            name, alias = node.child_by_field_name("name"), node.child_by_field_name("alias")
            return s.ImportedName(start, end, self.string_of(name), self.string_of(alias))
        return s.ImportedName(start, end, "".join(self.string_of(node).split()), None)

    def decorated(self, node: TsNode) -> s.Statement:
        definition = node.child_by_field_name("definition")
        lowered = self.lower_statement(definition)
        if isinstance(lowered, s.FunctionDef | s.ClassDef):
            lowered.decorators = [
                self.expression(child.named_children[0])
                for child in node.named_children
                if child.type == "decorator" and child.named_children
            ]
            lowered.length = _length(node)
        return lowered

    def function(self, node: TsNode) -> s.Statement:
        name = node.child_by_field_name("name")
        place = name.start_byte - self.base, name.end_byte - self.base
        parameters = self.parameters(node.child_by_field_name("parameters"))
        body = self.block(node.child_by_field_name("body"))
        return s.FunctionDef(_length(node), self.string_of(name), *place, parameters, body, [])

    def class_(self, node: TsNode) -> s.Statement:
        name = node.child_by_field_name("name")
        place = name.start_byte - self.base, name.end_byte - self.base
        parents = node.child_by_field_name("superclasses")
        bases = [self.argument(c) for c in parents.named_children if c.type != "comment"] if parents else []
        body = self.block(node.child_by_field_name("body"))
        return s.ClassDef(_length(node), self.string_of(name), *place, bases, body, [])

    def if_(self, node: TsNode) -> s.Statement:
        branches: list[tuple[s.Node | None, s.Block]] = [
            (
                self.expression(node.child_by_field_name("condition")),
                self.block(node.child_by_field_name("consequence")),
            )
        ]
        for clause in node.children_by_field_name("alternative"):
            test = clause.child_by_field_name("condition")
            body = clause.child_by_field_name("consequence") or clause.child_by_field_name("body")
            branches.append((self.expression(test) if test is not None else None, self.block(body)))
        return s.If(_length(node), branches, [])

    def match(self, node: TsNode) -> s.Statement:
        subjects = [self.expression(child) for child in node.children_by_field_name("subject")]
        subject = s.Other(0, 0, subjects)
        branches: list[tuple[s.Node | None, s.Block]] = []
        binds: list[str] = []
        body = node.child_by_field_name("body")
        for clause in body.named_children if body is not None else ():
            if clause.type != "case_clause":
                continue
            for pattern in clause.named_children:
                if pattern.type == "case_pattern":
                    binds += [self.string_of(part) for part in _identifiers(pattern)]
            branches.append((subject, self.block(clause.child_by_field_name("consequence"))))
        return s.If(_length(node), branches or [(subject, s.EMPTY)], binds)

    def for_(self, node: TsNode) -> s.Statement:
        target = self.expression(node.child_by_field_name("left"))
        source = self.expression(node.child_by_field_name("right"))
        return self.loop(node, target, source)

    def while_(self, node: TsNode) -> s.Statement:
        return self.loop(node, None, self.expression(node.child_by_field_name("condition")))

    def loop(self, node: TsNode, target: s.Node | None, source: s.Node) -> s.Statement:
        otherwise = node.child_by_field_name("alternative")
        after = self.block(otherwise.child_by_field_name("body")) if otherwise is not None else s.EMPTY
        return s.Loop(_length(node), target, source, self.block(node.child_by_field_name("body")), after)

    def with_(self, node: TsNode) -> s.Statement:
        items: list[tuple[s.Node, s.Node | None]] = []
        clauses = [child for child in node.named_children if child.type == "with_clause"]
        for item in clauses[0].named_children if clauses else ():
            value = item.child_by_field_name("value") if item.type == "with_item" else None
            if value is None:
                continue
            if value.type == "as_pattern":
                alias = value.child_by_field_name("alias")
                target = self.expression(alias.named_children[0]) if alias and alias.named_children else None
                items.append((self.expression(value.named_children[0]), target))
            else:
                items.append((self.expression(value), None))
        return s.With(_length(node), items, self.block(node.child_by_field_name("body")))

    def try_(self, node: TsNode) -> s.Statement:
        handlers: list[tuple[str | None, s.Block]] = []
        otherwise = final = s.EMPTY
        for clause in node.named_children:
            block = next((child for child in clause.named_children if child.type == "block"), None)
            if clause.type.startswith("except"):
                alias = clause.child_by_field_name("alias") or _find(clause, "as_pattern_target")
                handlers.append((self.string_of(alias) if alias is not None else None, self.block(block)))
            elif clause.type == "else_clause":
                otherwise = self.block(block)
            elif clause.type == "finally_clause":
                final = self.block(block)
        return s.Try(_length(node), self.block(node.child_by_field_name("body")), handlers, otherwise, final)

    def return_(self, node: TsNode) -> s.Statement:
        values = [child for child in node.named_children if child.type != "comment"]
        return s.Return(_length(node), self.expression(values[0]) if values else None)

    def leave(self, node: TsNode) -> s.Statement:
        return s.Leave(_length(node), [self.expression(child) for child in node.named_children])

    def delete(self, node: TsNode) -> s.Statement:
        names = [self.string_of(part) for part in _identifiers(node)]
        return s.Evaluate(_length(node), [], names)

    def scope(self, node: TsNode) -> s.Statement:
        names = [self.string_of(child) for child in node.named_children if child.type == "identifier"]
        return s.Evaluate(_length(node), [], names)


def _length(node: TsNode) -> int:
    length: int = node.end_byte - node.start_byte
    return length


def _find(node: TsNode, kind: str) -> TsNode | None:
    for child in node.named_children:
        if child.type == kind:
            return child
        if child.type == "as_pattern":
            return _find(child, kind)
    return None


def _identifiers(node: TsNode) -> Iterable[TsNode]:
    queue = [node]
    while queue:
        current = queue.pop()
        if current.type == "identifier":
            yield current
        queue += current.named_children


_EXPRESSIONS: dict[str, Callable[[_Lowering, TsNode, int, int], s.Node]] = {
    "identifier": _Lowering.name,
    "integer": _Lowering.number,
    "float": _Lowering.number,
    "true": _Lowering.constant,
    "false": _Lowering.constant,
    "none": _Lowering.constant,
    "string": _Lowering.string,
    "concatenated_string": _Lowering.concatenated,
    "parenthesized_expression": _Lowering.parenthesized,
    "list": _Lowering.list_,
    "list_pattern": _Lowering.list_,
    "tuple": _Lowering.tuple_,
    "tuple_pattern": _Lowering.tuple_,
    "pattern_list": _Lowering.tuple_,
    "expression_list": _Lowering.tuple_,
    "set": _Lowering.set_,
    "list_splat": _Lowering.starred,
    "list_splat_pattern": _Lowering.starred,
    "dictionary": _Lowering.dictionary,
    "call": _Lowering.call,
    "attribute": _Lowering.attribute,
    "subscript": _Lowering.subscript,
    "binary_operator": _Lowering.binary,
    "boolean_operator": _Lowering.binary,
    "unary_operator": _Lowering.unary,
    "not_operator": _Lowering.unary,
    "comparison_operator": _Lowering.compare,
    "conditional_expression": _Lowering.conditional,
    "list_comprehension": _Lowering.comprehension,
    "set_comprehension": _Lowering.comprehension,
    "dictionary_comprehension": _Lowering.comprehension,
    "generator_expression": _Lowering.comprehension,
    "lambda": _Lowering.lambda_,
    "named_expression": _Lowering.walrus,
    "as_pattern": _Lowering.as_pattern,
}

_STATEMENTS: dict[str, Callable[[_Lowering, TsNode], s.Statement]] = {
    "expression_statement": _Lowering.expression_statement,
    "import_statement": _Lowering.import_,
    "import_from_statement": _Lowering.import_from,
    "future_import_statement": _Lowering.import_from,
    "decorated_definition": _Lowering.decorated,
    "function_definition": _Lowering.function,
    "class_definition": _Lowering.class_,
    "if_statement": _Lowering.if_,
    "match_statement": _Lowering.match,
    "for_statement": _Lowering.for_,
    "while_statement": _Lowering.while_,
    "with_statement": _Lowering.with_,
    "try_statement": _Lowering.try_,
    "return_statement": _Lowering.return_,
    "raise_statement": _Lowering.leave,
    "break_statement": _Lowering.leave,
    "continue_statement": _Lowering.leave,
    "delete_statement": _Lowering.delete,
    "global_statement": _Lowering.scope,
    "nonlocal_statement": _Lowering.scope,
}
