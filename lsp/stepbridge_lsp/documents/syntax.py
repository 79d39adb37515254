"""The syntax of a Python program, reduced to what evaluation needs.

Offsets of a node count from the start of the statement that holds it, so that a statement whose text did not
change can be used again wherever it has moved to. A block gives each of its statements' offset from the
enclosing statement. This module knows no parser and no values.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any
from typing import Literal as Choice

from msgspec import Struct


class Node(Struct, eq=False):
    """An expression. `start` and `end` are byte offsets from the start of its statement."""

    start: int
    end: int


class Name(Node):
    id: str


class Literal(Node):
    """A string, number, bytes, True, False or None. `inner` is the place of a plain string's characters.

    `known` remembers what it was evaluated to last, and where it stood then: (document, base, value).
    """

    value: str | int | float | bool | bytes | None
    inner: tuple[int, int] | None = None
    known: tuple[str, int, Any] | None = None


class Interpolation(Struct, eq=False):
    """`{value!r:spec}` of an f-string. `debug`: written with a trailing `=`."""

    start: int
    end: int
    value: Node
    conversion: str
    debug: bool
    spec: bool


class Formatted(Node):
    """An f-string, or a concatenation that holds one."""

    parts: list[str | Interpolation]


class Starred(Node):
    value: Node


class Sequence(Node):
    kind: Choice["list", "tuple", "set"]
    items: list[Node]


class Mapping(Node):
    """A dictionary; an entry without key is `**value`."""

    entries: list[tuple[Node | None, Node]]


class Arg(Struct, eq=False):
    """An argument of a call. `stars` is 1 for `*value`, 2 for `**value`.

    `known` remembers, as that of a literal, what an argument that is one was evaluated to.
    """

    start: int
    end: int
    value: Node
    name: str | None = None
    name_start: int = 0
    name_end: int = 0
    stars: int = 0
    known: tuple[str, int, Any] | None = None


class CallNode(Node):
    """A call. `binding` remembers what was called last, and which formal parameter each argument reached."""

    function: Node
    arguments: list[Arg]
    arguments_start: int
    arguments_end: int
    binding: tuple[Any, tuple[str, ...]] | None = None


class Attribute(Node):
    value: Node
    name: str
    name_start: int
    name_end: int


class Subscript(Node):
    """`value[index]`. `index` is None for slices and for several indexes; `inner` are what they hold."""

    value: Node
    index: Node | None
    inner: list[Node]


class Binary(Node):
    operator: str
    left: Node
    right: Node


class Unary(Node):
    operator: str
    operand: Node


class Compare(Node):
    operands: list[Node]
    operators: list[str]


class Conditional(Node):
    test: Node
    body: Node
    otherwise: Node


class Comprehension(Node):
    """`elements` are evaluated in a scope where the clauses' targets are unknown."""

    kind: Choice["list", "set", "dict", "generator"]
    elements: list[Node]
    clauses: list[tuple[Node, Node]]
    conditions: list[Node]


class LambdaNode(Node):
    parameters: Parameters
    body: Node


class Walrus(Node):
    name: str
    value: Node


class Other(Node):
    """Anything else (await, yield, a broken expression): its parts are evaluated, its value is unknown."""

    parts: list[Node]


class Formal(Struct, eq=False):
    name: str
    kind: Choice["positional", "keyword", "many", "keywords"]
    default: Node | None


class Parameters(Struct, eq=False):
    formals: list[Formal]


# -- statements ------------------------------------------------------------------------------------


class Statement(Struct, eq=False, kw_only=True):
    """A statement. `length` counts the bytes of its text.

    `mentions`: every name that stands in it, and "import x" for each module it imports; None where it was
    mended.
    """

    length: int
    mentions: frozenset[str] | None = None


class Block(Struct, eq=False, dict=True):
    """Statements with their offsets from the start of the statement that holds the block."""

    items: list[tuple[int, Statement]]

    @cached_property
    def assigned(self) -> frozenset[str]:
        """Names that some statement of the block binds, functions and classes not entered."""
        names: set[str] = set()
        for _, statement in self.items:
            names.update(bound_names(statement))
        return frozenset(names)

    @cached_property
    def declared(self) -> frozenset[str]:
        """Names that it declares global (or nonlocal, or deletes: those are as uncertain)."""
        names: set[str] = set()
        for _, statement in self.items:
            match statement:
                case Evaluate(forgets=forgets):
                    names.update(forgets)
                case If(branches=branches):
                    names.update(*(inner.declared for _, inner in branches))
                case Loop(body=body) | With(body=body) | Try(body=body):
                    names |= body.declared
        return frozenset(names)

    @cached_property
    def ends(self) -> bool:
        """The block surely leaves: its last statement is return, raise, continue or break."""
        return bool(self.items) and isinstance(self.items[-1][1], Leave | Return)


EMPTY = Block([])


class Expression(Statement):
    length: int
    value: Node


class Assign(Statement):
    """`targets` from left to right; an annotation alone has `value` None."""

    length: int
    targets: list[Node]
    value: Node | None
    annotated: bool = False


class AugmentedAssign(Statement):
    length: int
    target: Node
    operator: str
    value: Node


class ImportedName(Struct, eq=False):
    start: int
    end: int
    name: str
    alias: str | None


class ImportModules(Statement):
    length: int
    names: list[ImportedName]


class ImportFrom(Statement):
    """`module` with its leading dots; `star` for `import *`."""

    length: int
    module: str
    module_start: int
    module_end: int
    names: list[ImportedName]
    star: bool


class FunctionDef(Statement):
    length: int
    name: str
    name_start: int
    name_end: int
    parameters: Parameters
    body: Block
    decorators: list[Node]


class ClassDef(Statement):
    length: int
    name: str
    name_start: int
    name_end: int
    bases: list[Arg]
    body: Block
    decorators: list[Node]


class If(Statement):
    """Branches in order; the last may have no test. Also match statements, whose tests are the subject."""

    length: int
    branches: list[tuple[Node | None, Block]]
    binds: list[str]  # names that patterns bind


class Loop(Statement):
    """`for` (with target) and `while`."""

    length: int
    target: Node | None
    source: Node
    body: Block
    otherwise: Block


class With(Statement):
    length: int
    items: list[tuple[Node, Node | None]]
    body: Block


class Try(Statement):
    """`handlers` are (bound name, block)."""

    length: int
    body: Block
    handlers: list[tuple[str | None, Block]]
    otherwise: Block
    final: Block


class Return(Statement):
    length: int
    value: Node | None


class Leave(Statement):
    """raise, break, continue: expressions are evaluated, then control leaves the block."""

    length: int
    parts: list[Node]


class Evaluate(Statement):
    """assert, del and the like: expressions are evaluated. `forgets` are names that are unknown
    afterwards.
    """

    length: int
    parts: list[Node]
    forgets: list[str]


class Broken(Statement):
    """A statement with syntax errors: what could be saved of it."""

    length: int
    parts: list[Node]
    forgets: list[str]
    blocks: list[Block]


def bound_names(statement: Statement) -> Iterator[str]:
    """Names that a statement binds in the scope it stands in."""
    match statement:
        case Assign(targets=targets):
            for target in targets:
                yield from target_names(target)
        case AugmentedAssign(target=target):
            yield from target_names(target)
        case ImportModules(names=names):
            yield from (item.alias or item.name.split(".")[0] for item in names)
        case ImportFrom(names=names):
            yield from (item.alias or item.name for item in names)
        case FunctionDef(name=name) | ClassDef(name=name):
            yield name
        case If(branches=branches, binds=binds):
            yield from binds
            for _, block in branches:
                yield from block.assigned
        case Loop(target=target, body=body, otherwise=otherwise):
            if target is not None:
                yield from target_names(target)
            yield from body.assigned | otherwise.assigned
        case With(items=items, body=body):
            for _, bound in items:
                if bound is not None:
                    yield from target_names(bound)
            yield from body.assigned
        case Try(body=body, handlers=handlers, otherwise=otherwise, final=final):
            yield from body.assigned | otherwise.assigned | final.assigned
            for caught, block in handlers:
                yield from block.assigned | ({caught} if caught else frozenset())
        case Evaluate(forgets=forgets):
            yield from forgets
        case Broken(forgets=forgets, blocks=blocks):
            yield from forgets
            for block in blocks:
                yield from block.assigned


def target_names(target: Node) -> Iterator[str]:
    match target:
        case Name(id=name):
            yield name
        case Sequence(items=items):
            for item in items:
                yield from target_names(item)
        case Starred(value=value):
            yield from target_names(value)
