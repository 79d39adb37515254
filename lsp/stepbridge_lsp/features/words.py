"""The words of hovers and completions: documentation of the SDK and of the service as Markdown."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import Any

from stepbridge.definition.service import Shape
from stepbridge.definition.service import documentation as service_documentation

from stepbridge_lsp.catalog import Callable_, Formal, Major, documentation

_ROLE = re.compile(r":\w+(?::\w+)?:`~?([^`<]*?)(?:\s*<[^>]*>)?`")
_DOUBLE = re.compile(r"``([^`]*)``")


def plain(text: str) -> str:
    """Markdown of a docstring's text: no roles, single backquotes."""
    return _DOUBLE.sub(r"`\1`", _ROLE.sub(r"`\1`", text)).strip()


def signature(callable_: Callable_, limit: int = 100) -> str:
    """A call's signature as code; one argument a line where it is long."""
    name = callable_.name
    parts = [str(formal) for formal in callable_.formals]
    line = f"{name}({', '.join(parts)})"
    if len(line) <= limit:
        return line
    inside = "".join(f"    {part},\n" for part in parts)
    return f"{name}(\n{inside})"


def summary(callable_: Callable_) -> str:
    """What the SDK says of a class, method or function; "" where it says nothing."""
    text = _entry(callable_).get("s", "")
    return "" if text.startswith("Placeholder") else plain(text)


def argument(callable_: Callable_, formal: Formal) -> tuple[str, str]:
    """An argument's annotation and what the SDK says of it, both "" where it is silent."""
    annotation, text = _entry(callable_).get("a", {}).get(formal.name, ("", ""))
    return annotation, plain(text)


# Read while the program runs (rule P094), however they are annotated.
_READ_AT_ONCE = frozenset(
    {"entry_point", "source_dir", "code", "git_config", "framework_version", "py_version", "dependencies"}
)


def takes_variables(callable_: Callable_, name: str) -> bool:
    """Whether an argument may be a pipeline variable: it is annotated so, here or, where a signature passes
    it on unseen, in other classes."""
    if name in _READ_AT_ONCE:
        return False
    found = _entry(callable_).get("a", {}).get(name)
    if found is None or not found[0]:
        return name in _variable_names(callable_.major)
    return _is_variable(found[0])


def _is_variable(annotation: str) -> bool:
    return "PipelineVariable" in annotation or "PipeVar" in annotation


@cache
def _variable_names(major: Major) -> frozenset[str]:
    """Arguments that several classes annotate as pipeline variables."""
    counts: Counter[str] = Counter()
    for entry in documentation(major).values():
        for name, (annotation, _) in entry.get("a", {}).items():
            counts[name] += _is_variable(annotation)
    return frozenset(name for name, count in counts.items() if count > 2)


def _entry(callable_: Callable_) -> dict[str, Any]:
    found = documentation(callable_.major).get(callable_.dotted)
    return found if isinstance(found, dict) else {}


def member(owner: str, name: str, found: Shape | None) -> str:
    """What the service's reference says of a member, with its type and limits, as Markdown."""
    head = f"**{name}**"
    if found is not None:
        head += f" `{type_of(found)}`"
    parts = [head, service_documentation(owner, name), limits(found) if found is not None else ""]
    return "\n\n".join(part for part in parts if part)


def type_of(found: Shape) -> str:
    """A shape's type in a few words: `list of TrainingInput`, `string`."""
    if found.type == "list":
        return f"list of {found.item.name if not found.item.scalar else found.item.type}"
    if found.type == "map":
        return f"map of {found.key.type} to {found.item.type}"
    return found.name if found.type == "structure" else found.type


def limits(found: Shape) -> str:
    """A shape's enumeration, range or pattern; "" where it has none."""
    if found.enum:
        values = sorted(found.enum)
        listed = ", ".join(f"`{value}`" for value in values[:12])
        return f"One of {listed}{f' and {len(values) - 12} more' if len(values) > 12 else ''}."
    words = []
    unit = {"string": " characters", "list": " items", "map": " entries"}.get(found.type, "")
    if found.minimum is not None and found.maximum is not None:
        words.append(f"{found.minimum} to {found.maximum}{unit}")
    elif found.maximum is not None:
        words.append(f"at most {found.maximum}{unit}")
    elif found.minimum is not None:
        words.append(f"at least {found.minimum}{unit}")
    if found.pattern and len(found.pattern) <= 80:
        words.append(f"pattern `{found.pattern}`")
    text = "; ".join(words)
    return f"{text[:1].upper()}{text[1:]}." if text else ""
