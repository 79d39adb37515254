"""What the two majors of the SageMaker Python SDK offer to pipeline programs: modules, classes, signatures.

Read from JSON files that `scripts/build_sdk_catalog.py` writes from the SDKs' source. Neither SDK is
imported, here or ever. Files are read when first asked for, classes made when first looked up; documentation
lies apart and is read at the first hover.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

Major = Literal["v2", "v3"]
MAJORS: tuple[Major, Major] = ("v2", "v3")
_FOLDER = Path(__file__).parent


class Formal(Struct, frozen=True):
    """One formal parameter. `default` is its source text, None where the argument is required."""

    name: str
    kind: Literal["positional", "keyword", "many", "keywords"]
    default: str | None

    @property
    def required(self) -> bool:
        return self.default is None and self.kind in ("positional", "keyword")

    def __str__(self) -> str:
        stars = {"many": "*", "keywords": "**"}.get(self.kind, "")
        return f"{stars}{self.name}" + (f"={self.default}" if self.default is not None else "")


class Callable_(Struct, frozen=True, eq=False, dict=True):  # noqa: N801 - `Callable` is typing's
    """Something that can be called: `ProcessingStep`, `ScriptProcessor.run`, `retrieve`.

    Attributes:
        name: "Class", "Class.method" or "function".
        dotted: full name, for documentation.
        open: takes keywords that are not listed.
    """

    name: str
    dotted: str
    major: Major
    formals: tuple[Formal, ...]
    open: bool

    @cached_property
    def by_name(self) -> Mapping[str, Formal]:
        return {formal.name: formal for formal in self.formals if formal.kind in ("positional", "keyword")}

    @cached_property
    def positional(self) -> tuple[Formal, ...]:
        return tuple(formal for formal in self.formals if formal.kind == "positional")

    @cached_property
    def takes_many(self) -> bool:
        return any(formal.kind == "many" for formal in self.formals)

    @cached_property
    def required(self) -> tuple[Formal, ...]:
        return tuple(formal for formal in self.formals if formal.required)


class SdkClass(Struct, frozen=True, eq=False, dict=True):
    """A class of the SDK.

    `kind` is the family (see KINDS in scripts/build_sdk_catalog.py); `ancestors` the simple names of the
    class and of all its bases in the SDK; `foreign`: it inherits from outside of the SDK too.
    """

    name: str
    dotted: str
    major: Major
    kind: str
    bases: tuple[str, ...]
    init: Callable_
    constants: Mapping[str, Any]
    members: Mapping[str, Any]  # of an enumeration
    properties: frozenset[str]
    foreign: bool
    catalog: Catalog

    @cached_property
    def ancestors(self) -> frozenset[str]:
        names = {self.name}
        for base in self.bases:
            if isinstance(found := self.catalog.lookup(base), SdkClass):
                names |= found.ancestors
        return frozenset(names)

    def isa(self, *names: str) -> bool:
        return not self.ancestors.isdisjoint(names)

    def method(self, name: str) -> Callable_ | None:
        """A method of the class or of a base; the name of the result is that of the class asked."""
        return self.catalog.method(self, name)

    @cached_property
    def attributes(self) -> frozenset[str]:
        """Public names that instances surely have: methods, properties, constants, constructor arguments."""
        names = set(self.properties) | set(self.constants) | set(self.catalog.method_names(self))
        names |= set(self.init.by_name)
        for base in self.bases:
            if isinstance(found := self.catalog.lookup(base), SdkClass):
                names |= found.attributes
        return frozenset(names)

    def constant(self, name: str) -> Any:
        """A class constant, its own or inherited; None when there is none or it is not a literal."""
        if name in self.constants:
            return self.constants[name]
        for base in self.bases:
            found = self.catalog.lookup(base)
            if isinstance(found, SdkClass) and (value := found.constant(name)) is not None:
                return value
        return None


class SdkFunction(Struct, frozen=True, eq=False):
    name: str
    dotted: str
    major: Major
    callable: Callable_


Symbol = SdkClass | SdkFunction


class Catalog:
    """One SDK major."""

    def __init__(self, major: Major) -> None:
        self.major: Major = major
        self._data: Mapping[str, Any] = _read(f"sdk_{major}.json")
        self._symbols: dict[str, Symbol | None] = {}
        self._methods: dict[tuple[str, str], Callable_ | None] = {}
        self.modules = frozenset(self._data["modules"])

    @property
    def version(self) -> str:
        """The SDK version that this catalog was built from."""
        return str(self._data["version"])

    def names(self, module: str) -> frozenset[str] | None:
        """All names of a module; None for modules of which we do not know them."""
        text = self._data["names"].get(module)
        return frozenset(text.split()) if text is not None else None

    def resolve(self, module: str, name: str) -> Symbol | None:
        """The class or function that `from module import name` gives."""
        target = self._data["exports"].get(module, {}).get(name)
        return self.lookup(target or f"{module}.{name}")

    def lookup(self, dotted: str) -> Symbol | None:
        """A class or function by the name of the place where it is defined."""
        if dotted not in self._symbols:
            self._symbols[dotted] = self._make(dotted)
        return self._symbols[dotted]

    def classes(self) -> Iterable[SdkClass]:
        for dotted in self._data["classes"]:
            found = self.lookup(dotted)
            if isinstance(found, SdkClass):
                yield found

    def modules_with(self, name: str) -> list[str]:
        """Modules that offer a class or function of this name, the defining one first."""
        defined = [
            dotted.rpartition(".")[0]
            for group in ("classes", "functions")
            for dotted in self._data[group]
            if dotted.rpartition(".")[2] == name
        ]
        return defined + [
            m for m, names in self._data["exports"].items() if name in names and m not in defined
        ]

    def method(self, cls: SdkClass, name: str) -> Callable_ | None:
        key = (cls.dotted, name)
        if key not in self._methods:
            self._methods[key] = self._make_method(cls, name)
        return self._methods[key]

    def method_names(self, cls: SdkClass) -> Iterable[str]:
        methods: Mapping[str, Any] = self._data["classes"].get(cls.dotted, {}).get("m", {})
        return methods

    def _make(self, dotted: str) -> Symbol | None:
        name = dotted.rpartition(".")[2]
        if (entry := self._data["classes"].get(dotted)) is not None:
            return SdkClass(
                name=name,
                dotted=dotted,
                major=self.major,
                kind=entry["k"],
                bases=tuple(entry["b"]),
                init=self._callable(name, dotted, {"i": entry["i"], "o": entry.get("o", 0)}),
                constants=entry.get("c", {}),
                members=entry.get("e", {}),
                properties=frozenset(entry.get("p", ())),
                foreign=bool(entry.get("f")),
                catalog=self,
            )
        if (entry := self._data["functions"].get(dotted)) is not None:
            return SdkFunction(name, dotted, self.major, self._callable(name, dotted, entry))
        return None

    def _make_method(self, cls: SdkClass, name: str) -> Callable_ | None:
        entry = self._data["classes"].get(cls.dotted, {}).get("m", {}).get(name)
        if entry is not None:
            return self._callable(f"{cls.name}.{name}", f"{cls.dotted}.{name}", entry)
        for base in cls.bases:
            found = self.lookup(base)
            if isinstance(found, SdkClass) and (method := self.method(found, name)) is not None:
                return Callable_(f"{cls.name}.{name}", method.dotted, self.major, method.formals, method.open)
        return None

    def _callable(self, name: str, dotted: str, entry: Any) -> Callable_:
        texts, is_open = (entry, False) if isinstance(entry, list) else (entry["i"], bool(entry.get("o")))
        return Callable_(name, dotted, self.major, tuple(_formals(texts)), is_open)


def _formals(texts: list[str]) -> Iterable[Formal]:
    kind: Literal["positional", "keyword"] = "positional"
    for text in texts:
        if text == "*":
            kind = "keyword"
        elif text.startswith("**"):
            yield Formal(text[2:], "keywords", None)
        elif text.startswith("*"):
            yield Formal(text[1:], "many", None)
            kind = "keyword"
        else:
            name, equals, default = text.partition("=")
            yield Formal(name, kind, default if equals else None)


@cache
def catalog(major: Major) -> Catalog:
    return Catalog(major)


@cache
def documentation(major: Major) -> Mapping[str, Any]:
    """Dotted name -> {"s": summary, "a": {argument: [annotation, text]}}."""
    content: Mapping[str, Any] = _read(f"docs_{major}.json")
    return content


class FrameworkVersion(Struct, frozen=True):
    """What the SDK knows of one framework version. `bases` is filled for Hugging Face only."""

    version: str
    python: tuple[str, ...]
    processors: tuple[str, ...]
    bases: Mapping[str, tuple[str, ...]]


class Framework(Struct, frozen=True):
    """Versions of one framework in one scope ("training", "inference", "processing")."""

    name: str
    scope: str
    versions: Mapping[str, FrameworkVersion]
    aliases: Mapping[str, str]

    def find(self, version: str) -> FrameworkVersion | None:
        return self.versions.get(self.aliases.get(version, version))

    @property
    def names(self) -> list[str]:
        """Versions and aliases."""
        return sorted({*self.versions, *self.aliases})


@cache
def framework(name: str, scope: str) -> Framework | None:
    content = _read("frameworks.json")["frameworks"].get(name, {}).get(scope)
    if content is None:
        return None
    versions = {
        version: FrameworkVersion(
            version,
            tuple(entry.get("py", ())),
            tuple(entry.get("p", ())),
            {base: tuple(pythons) for base, pythons in entry.get("base", {}).items()},
        )
        for version, entry in content["v"].items()
    }
    return Framework(name, scope, versions, content["a"])


@cache
def framework_names() -> tuple[str, ...]:
    """The frameworks and algorithms that the SDK has images of."""
    return tuple(_read("frameworks.json")["frameworks"])


@cache
def framework_scopes(name: str) -> tuple[str, ...]:
    return tuple(_read("frameworks.json")["frameworks"].get(name, {}))


@cache
def gpu_families() -> frozenset[str]:
    """Instance families that have GPUs, as far as the SDK knows: "p3", "g5"."""
    return frozenset(_read("frameworks.json")["gpu"])


@cache
def _read(name: str) -> Any:
    return json.loads((_FOLDER / name).read_bytes())
