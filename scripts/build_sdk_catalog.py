"""Write the catalog of the SageMaker Python SDK that the language server reads.

    python scripts/build_sdk_catalog.py --v2 SITE_PACKAGES --v3 SITE_PACKAGES

Both majors are read as source with `ast`; nothing of them is imported, so that the script runs in any
environment and never executes what it reads. Only modules that pipeline programs use are described
(RELEVANT_*); of all others the catalog knows just the name. Written are, in lsp/stepbridge_lsp/catalog/:
`sdk_v2.json`, `sdk_v3.json` (modules, names, classes, signatures), `docs_v2.json`, `docs_v3.json`
(documentation, read at the first hover) and `frameworks.json` (framework versions, their Python versions and
processors, from the SDKs' image_uri_config).

A signature is a list of strings as Python writes them: "name", "step_args=None", "*", "**kwargs".
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parent.parent / "lsp" / "stepbridge_lsp" / "catalog"

RELEVANT_V2 = (
    r"sagemaker"
    r"|sagemaker\.workflow(\.(?!airflow|_event)\w+)?"
    r"|sagemaker\.(algorithm|clarify|deprecations|drift_check_baselines|estimator|image_uris|inputs|instance_group"
    r"|lambda_helper|metadata_properties|model|model_metrics|network|parameter|pipeline|processing|s3|s3_utils"
    r"|serverless|session|transformer|tuner|utils|predictor|serializers|deserializers|base_serializers)"
    r"|sagemaker\.(amazon|chainer|djl_inference|huggingface|mxnet|pytorch|rl|sklearn|spark|sparkml|stabilityai"
    r"|tensorflow|xgboost|training_compiler|wrangler)(\.(?!defaults|processing_utils)\w+)*"
    r"|sagemaker\.automl(\.\w+)?|sagemaker\.dataset_definition(\.\w+)?|sagemaker\.debugger(\.\w+)?"
    r"|sagemaker\.model_monitor(\.\w+)?|sagemaker\.remote_function(\.client)?|sagemaker\.local(\.local_session)?"
    r"|sagemaker\.jumpstart\.(estimator|model)|sagemaker\.sparkml(\.model)?|sagemaker\.model_card(\.\w+)?"
)
RELEVANT_V3 = (
    r"sagemaker|sagemaker\.(core|train|serve|mlops)"
    r"|sagemaker\.(core|mlops)\.workflow(\.(?!_event)\w+)?"
    r"|sagemaker\.core\.(processing|inputs|network|transformer|image_uris|lambda_helper|parameter|model_metrics"
    r"|drift_check_baselines|metadata_properties|inference_config|model_registry|instance_group"
    r"|serverless_inference_config|job)"
    r"|sagemaker\.core\.(debugger|model_monitor|clarify|spark|s3|remote_function|training|local|image_retriever"
    r"|helper|shapes)(\.\w+)?"
    r"|sagemaker\.train\.(model_trainer|configs|distributed|tuner|types|constants|remote_function)(\.client)?"
    r"|sagemaker\.serve\.(model_builder|builder|utils)(\.\w+)?"
)

# The first of these ancestors (its own name counts) gives the family that rules and features ask for.
KINDS = (
    ("Parameter", "parameter"),
    ("Join", "function"),
    ("JsonGet", "function"),
    ("ExecutionVariable", "execution-variable"),
    ("ExecutionVariables", "execution-variables"),
    ("Condition", "condition"),
    ("PropertyFile", "property-file"),
    ("StepCollection", "step"),
    ("Step", "step"),
    ("CacheConfig", "cache"),
    ("RetryPolicy", "retry-policy"),
    ("LambdaOutput", "step-output"),
    ("CallbackOutput", "step-output"),
    ("ProcessingInput", "processing-input"),
    ("ProcessingOutput", "processing-output"),
    ("RunArgs", "run-args"),
    ("TrainingInput", "training-input"),
    ("FileSystemInput", "training-input"),
    ("InputData", "training-input"),
    ("Channel", "training-input"),
    ("Processor", "processor"),
    ("EstimatorBase", "estimator"),
    ("ModelTrainer", "estimator"),
    ("Transformer", "transformer"),
    ("HyperparameterTuner", "tuner"),
    ("AutoML", "automl"),
    ("AutoMLV2", "automl"),
    ("PipelineModel", "pipeline-model"),
    ("ModelBuilder", "model"),
    ("ModelBase", "model"),
    ("Model", "model"),
    ("LocalPipelineSession", "local-pipeline-session"),
    ("PipelineSession", "pipeline-session"),
    ("LocalSession", "local-session"),
    ("Session", "session"),
    ("Lambda", "lambda"),
    ("SelectiveExecutionConfig", "selective"),
    ("ParallelismConfiguration", "parallelism"),
    ("PipelineSchedule", "schedule"),
    ("StepDependency", "step-dependency"),
    ("NetworkConfig", "network"),
    ("ParameterRange", "range"),
    ("Pipeline", "pipeline"),
)
DOC_LIMIT = 320
_PLAIN_BASES = ("object", "ABC", "abc.ABC", "Enum", "BaseModel")


@dataclass
class Module:
    name: str
    path: Path
    tree: ast.Module
    package: bool
    names: dict[str, str] = field(default_factory=dict)  # name -> dotted target; "" where it is defined here
    stars: list[str] = field(default_factory=list)
    classes: dict[str, ast.ClassDef] = field(default_factory=dict)
    functions: dict[str, ast.FunctionDef] = field(default_factory=dict)
    partials: dict[str, ast.Call] = field(default_factory=dict)
    lazy: bool = False  # has a __getattr__: an unlisted name may exist


@dataclass
class Signature:
    formals: list[str]
    open: bool = False  # takes any keyword


class Sdk:
    """The modules of one SDK, read as source, and what names resolve to."""

    def __init__(self, site: Path, relevant: str) -> None:
        self.site = site
        self.relevant = re.compile(relevant)
        self.paths = dict(_module_paths(site))
        self.modules: dict[str, Module] = {}
        for name in self.paths:
            if self.relevant.fullmatch(name):
                self.module(name)

    def module(self, name: str) -> Module | None:
        if name not in self.modules and name in self.paths:
            self.modules[name] = _read_module(name, self.paths[name])
        return self.modules.get(name)

    def is_relevant(self, name: str) -> bool:
        return self.relevant.fullmatch(name) is not None

    def resolve(self, dotted: str, depth: int = 0) -> str | None:
        """The dotted name where a class or function is defined; None where we do not find it."""
        if depth > 12:
            return None
        owner, _, name = dotted.rpartition(".")
        module = self.module(owner)
        if module is None:
            return None
        if name in module.classes or name in module.functions or name in module.partials:
            return dotted
        if target := module.names.get(name):
            return self.resolve(target, depth + 1)
        for star in module.stars:
            if found := self.resolve(f"{star}.{name}", depth + 1):
                return found
        return None

    def names_of(self, module: Module, depth: int = 0) -> set[str]:
        names = set(module.names)
        for star in module.stars if depth < 4 else ():
            if other := self.module(star):
                names |= {name for name in self.names_of(other, depth + 1) if not name.startswith("_")}
        return names

    def class_node(self, dotted: str | None) -> tuple[Module, ast.ClassDef] | None:
        if dotted is None:
            return None
        owner, _, name = dotted.rpartition(".")
        module = self.module(owner)
        return (module, module.classes[name]) if module and name in module.classes else None

    def bases(self, dotted: str) -> list[str]:
        """Resolved dotted names of the direct bases that lie in the SDK."""
        found = self.class_node(dotted)
        if found is None:
            return []
        module, node = found
        bases = (self.lookup(module, base) for base in node.bases)
        # v3 defines classes that shadow their imported base of the same name
        return [base for base in bases if base and base != dotted and self.class_node(base)]

    def lookup(self, module: Module, node: ast.expr) -> str | None:
        """What an expression like `Base` or `shapes.Base` of a module refers to."""
        if isinstance(node, ast.Name):
            return self.resolve(f"{module.name}.{node.id}")
        if isinstance(node, ast.Attribute):
            first, _, rest = ast.unparse(node).partition(".")
            target = module.names.get(first)
            return self.resolve(f"{target}.{rest}") if target else None
        return None

    def ancestors(self, dotted: str) -> list[str]:
        """The class and its ancestors, nearest first."""
        order = [dotted]
        for name in order:  # grows while it is read
            order += [base for base in self.bases(name) if base not in order]
        return order

    def kind(self, dotted: str) -> str:
        names = {name.rpartition(".")[2] for name in self.ancestors(dotted)}
        if dotted.rpartition(".")[2] == "Pipeline" and ".workflow." not in dotted:
            return "other"
        return next((kind for ancestor, kind in KINDS if ancestor in names), "other")

    # -- signatures --------------------------------------------------------------------------------

    def init(self, dotted: str) -> Signature:
        """The signature of the constructor, with what `**kwargs` passes on to base classes."""
        found = self.class_node(dotted)
        if found is None:
            return Signature([], open=True)
        _, node = found
        own = _method(node, "__init__")
        if own is not None:
            return self.merged(dotted, own)
        if _is_attrs(node):
            return Signature(self.attrs_formals(dotted))
        if self.is_pydantic(dotted):
            return Signature(self.field_formals(dotted), open=not self.forbids_extra(dotted))
        if _is_dataclass(node):
            return Signature([_field_formal(item) for item in _fields(node)])
        bases = self.bases(dotted)
        return self.init(bases[0]) if bases else Signature([])

    def method(self, dotted: str, node: ast.FunctionDef) -> Signature:
        return self.merged(dotted, node)

    def merged(self, dotted: str, node: ast.FunctionDef) -> Signature:
        static = any(isinstance(item, ast.Name) and item.id == "staticmethod" for item in node.decorator_list)
        formals = _formals(node, skip_first=not static)
        if not formals or not formals[-1].startswith("**"):
            return Signature(formals)
        flow = _kwargs_flow(node)
        bases = self.bases(dotted)
        if flow is None or not bases:
            return Signature(formals, open=True)
        base = self.inherited(bases, flow.method)
        if base is None:
            return Signature(formals, open=True)
        own = {_name(formal) for formal in formals}
        positional = [_name(f) for f in base.formals if not f.startswith("*")][: flow.positional]
        taken = own | set(positional) | flow.keywords
        extra = [f for f in base.formals if not f.startswith("*") and _name(f) not in taken]
        merged = formals[:-1]
        if extra and not any(f == "*" or (f.startswith("*") and f != "*") for f in merged):
            merged.append("*")
        return Signature(merged + extra, open=base.open)

    def inherited(self, bases: list[str], method: str) -> Signature | None:
        for base in bases:
            if method == "__init__":
                return self.init(base)
            for ancestor in self.ancestors(base):
                found = self.class_node(ancestor)
                if found and (node := _method(found[1], method)):
                    return self.merged(ancestor, node)
        return None

    def attrs_formals(self, dotted: str) -> list[str]:
        formals: dict[str, str] = {}
        for ancestor in reversed(self.ancestors(dotted)):
            found = self.class_node(ancestor)
            if found is None or not _is_attrs(found[1]):
                continue
            for formal in _attrs_fields(found[1]):
                formals[_name(formal)] = formal
        return list(formals.values())

    def is_pydantic(self, dotted: str) -> bool:
        for ancestor in self.ancestors(dotted):
            found = self.class_node(ancestor)
            if found and any(isinstance(b, ast.Name) and b.id == "BaseModel" for b in found[1].bases):
                return True
        return False

    def forbids_extra(self, dotted: str) -> bool:
        for ancestor in self.ancestors(dotted):
            found = self.class_node(ancestor)
            if found is None:
                continue
            for item in found[1].body:
                if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "model_config":
                    return "forbid" in ast.unparse(item.value)
        return False

    def field_formals(self, dotted: str) -> list[str]:
        formals: dict[str, str] = {}
        for ancestor in reversed(self.ancestors(dotted)):
            found = self.class_node(ancestor)
            for item in _fields(found[1]) if found else ():
                formals[item.target.id] = _field_formal(item)  # type: ignore[union-attr]
        return ["*", *formals.values()]

    def constant(self, module: Module, node: ast.expr, depth: int = 0) -> Any:
        """A literal's value, or what a name of a module stands for; null for anything else."""
        if isinstance(node, ast.Call) and len(node.args) == 1:  # ExecutionVariable("PipelineName")
            return self.constant(module, node.args[0], depth)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            other = self.module(module.names.get(node.value.id, ""))
            return _assigned(self, other, node.attr, depth) if other else None
        if isinstance(node, ast.Name):
            return _assigned(self, module, node.id, depth)
        try:
            value = ast.literal_eval(node)
        except ValueError:
            return None
        return value if isinstance(value, str | int | float | bool) else None

    def partial(self, module: Module, call: ast.Call) -> tuple[str | None, list[str]]:
        """`X = partial(Class, fixed=...)`: the class, and what may still be passed."""
        target = self.lookup(module, call.args[0])
        fixed = {keyword.arg for keyword in call.keywords}
        formals: list[str] = []
        for formal in self.init(target).formals if target else []:
            if _name(formal) not in fixed:
                formals.append(formal)
            elif "*" not in formals:
                formals.append("*")
        return target, formals


def _assigned(sdk: Sdk, module: Module, name: str, depth: int) -> Any:
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name and depth < 4:
            return sdk.constant(module, node.value, depth + 1)
    return None


def _module_paths(site: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted((site / "sagemaker").rglob("*.py")):
        parts = path.relative_to(site).with_suffix("").parts
        if parts[-1] == "__init__":
            parts = parts[:-1]
        yield ".".join(parts), path


def _read_module(name: str, path: Path) -> Module:
    module = Module(name, path, ast.parse(path.read_text("utf-8")), path.name == "__init__.py")
    _collect(module, module.tree.body)
    return module


def _collect(module: Module, body: list[ast.stmt]) -> None:
    for node in body:
        match node:
            case ast.ImportFrom():
                source = _absolute(module, node)
                for alias in node.names:
                    if alias.name == "*":
                        module.stars.append(source)
                    else:
                        module.names[alias.asname or alias.name] = f"{source}.{alias.name}"
            case ast.Import():
                for alias in node.names:
                    module.names[alias.asname or alias.name.split(".")[0]] = alias.name
            case ast.ClassDef():
                module.classes[node.name] = node
                module.names[node.name] = ""
            case ast.FunctionDef(name="__getattr__"):
                module.lazy = True
                _collect(module, [item for item in ast.walk(node) if isinstance(item, ast.ImportFrom)])
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                module.functions[node.name] = node  # type: ignore[assignment]
                module.names[node.name] = ""
            case ast.Assign():
                _collect_assignment(module, node)
            case ast.AnnAssign(target=ast.Name(id=target)):
                module.names[target] = ""
            case ast.If() | ast.Try():
                _collect(module, node.body)
                _collect(module, node.orelse)
                for handler in getattr(node, "handlers", ()):
                    _collect(module, handler.body)


def _collect_assignment(module: Module, node: ast.Assign) -> None:
    for target in node.targets:
        if not isinstance(target, ast.Name):
            continue
        module.names.setdefault(target.id, "")
        value = node.value
        if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id == "partial":
            module.partials[target.id] = value
        elif isinstance(value, ast.Call) and _renamed_class(value):
            module.names[target.id] = f"{module.name}.{_renamed_class(value)}"


def _renamed_class(call: ast.Call) -> str | None:
    """`Old = deprecated_class(New, "Old")` of the SDK's deprecations module."""
    if isinstance(call.func, ast.Name) and call.func.id.startswith("deprecated") and call.args:
        first = call.args[0]
        return first.id if isinstance(first, ast.Name) else None
    return None


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + (1 if module.package else 0)]
    return ".".join([*parts, node.module] if node.module else parts)


def _method(node: ast.ClassDef, name: str) -> ast.FunctionDef | None:
    return next((item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == name), None)


def _name(formal: str) -> str:
    return formal.lstrip("*").split("=")[0]


def _short(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 48 else "..."


def _formals(node: ast.FunctionDef, *, skip_first: bool) -> list[str]:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    defaults += arguments.defaults
    formals = [_formal(arg.arg, default) for arg, default in zip(positional, defaults, strict=True)]
    formals = formals[1:] if skip_first and positional else formals
    if arguments.vararg:
        formals.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        formals.append("*")
    formals += [_formal(a.arg, d) for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)]
    return formals + ([f"**{arguments.kwarg.arg}"] if arguments.kwarg else [])


def _formal(name: str, default: ast.expr | None) -> str:
    return name if default is None else f"{name}={_short(default)}"


@dataclass
class Flow:
    """Where `**kwargs` goes: to which method of the base class, and which arguments that call gives
    already.
    """

    method: str
    positional: int
    keywords: set[str]


def _kwargs_flow(node: ast.FunctionDef) -> Flow | None:
    assert node.args.kwarg
    own = node.args.kwarg.arg
    for call in ast.walk(node):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if not any(k.arg is None and _mentions(k.value, own) for k in call.keywords):
            continue
        receiver = ast.unparse(call.func.value)
        if receiver.startswith("super(") and call.func.attr == node.name:
            keywords = {keyword.arg for keyword in call.keywords if keyword.arg}
            return Flow(call.func.attr, len(call.args), keywords)
    return None


def _mentions(node: ast.expr, name: str) -> bool:
    """`kwargs`, or `dict(kwargs, x=1)` whose own keywords override and so stay acceptable."""
    if isinstance(node, ast.Name):
        return node.id == name
    return (
        isinstance(node, ast.Call)
        and ast.unparse(node.func) == "dict"
        and any(isinstance(arg, ast.Name) and arg.id == name for arg in node.args)
    )


def _decorators(node: ast.ClassDef) -> list[str]:
    return [ast.unparse(item).split("(")[0] for item in node.decorator_list]


def _is_attrs(node: ast.ClassDef) -> bool:
    return any(
        name in ("attr.s", "attr.attrs", "attrs.define", "attr.define", "define")
        for name in _decorators(node)
    )


def _is_dataclass(node: ast.ClassDef) -> bool:
    return any(name.endswith("dataclass") for name in _decorators(node))


def _attrs_fields(node: ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        match item:
            case ast.AnnAssign(target=ast.Name(id=name), value=value):
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case _:
                continue
        if (
            value is None
            or not isinstance(value, ast.Call)
            or not ast.unparse(value.func).endswith(("ib", "field"))
        ):
            continue
        given = {keyword.arg: keyword.value for keyword in value.keywords}
        if "init" in given and ast.unparse(given["init"]) == "False":
            continue
        public = name.lstrip("_")
        if "default" in given:
            yield _formal(public, given["default"])
        elif "factory" in given:
            yield f"{public}=..."
        else:
            yield public


def _fields(node: ast.ClassDef) -> Iterator[ast.AnnAssign]:
    for item in node.body:
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        if item.target.id.startswith("_") or "ClassVar" in ast.unparse(item.annotation):
            continue
        yield item


def _field_formal(item: ast.AnnAssign) -> str:
    assert isinstance(item.target, ast.Name)
    value = item.value
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("Field", "field"):
        given = {keyword.arg for keyword in value.keywords}
        if "default" in given or "default_factory" in given:
            return f"{item.target.id}=..."
        if value.args and ast.unparse(value.args[0]) != "...":
            return _formal(item.target.id, value.args[0])
        return item.target.id
    return _formal(item.target.id, value)


# -- documentation ---------------------------------------------------------------------------------

_DOCUMENTED = re.compile(
    r"workflow|inputs|configs|clarify|network|debugger|model_metrics|drift|lambda|tuner|shapes"
)
_SECTION = re.compile(r"^\s*(Args|Attributes|Parameters|Arguments)\s*:?\s*$", re.M)


def _documentation(node: ast.ClassDef | ast.FunctionDef) -> dict[str, Any]:
    texts = [ast.get_docstring(node) or ""]
    nodes = [node]
    if isinstance(node, ast.ClassDef) and (init := _method(node, "__init__")):
        texts.append(ast.get_docstring(init) or "")
        nodes.append(init)
    arguments: dict[str, list[str]] = {}
    for text in texts:
        for name, description in _arguments(text):
            arguments[name] = ["", description]
    for item in nodes:
        for name, annotation in _annotations(item):
            arguments.setdefault(name, ["", ""])[0] = annotation
    entry: dict[str, Any] = {"s": _summary(texts[0] or texts[-1])}
    if arguments:
        entry["a"] = arguments
    return entry


def _summary(text: str) -> str:
    return _clean(text.split("\n\n")[0])


def _clean(text: str) -> str:
    text = re.sub(r":(?:class|meth|func|py:\w+|attr):`~?([^`]*)`", r"`\1`", " ".join(text.split()))
    return text if len(text) <= DOC_LIMIT else text[: DOC_LIMIT - 1].rstrip() + "…"


def _arguments(text: str) -> Iterator[tuple[str, str]]:
    """Arguments of Google style sections: `name (type): text`, continued on deeper lines."""
    for start in _SECTION.finditer(text):
        lines = text[start.end() :].strip("\n").split("\n")
        indent = len(lines[0]) - len(lines[0].lstrip()) if lines else 0
        name, parts = "", list[str]()
        for line in lines:
            depth = len(line) - len(line.lstrip())
            if line.strip() and depth < indent:
                break
            head = re.match(r"\s*\**(\w+)\s*(?:\((?:[^()]|\([^()]*\))*\)+)?\s*:(.*)", line)
            if depth == indent and head:
                if name:
                    yield name, _clean(" ".join(parts))
                name, parts = head[1], [head[2]]
            else:
                parts.append(line)
        if name:
            yield name, _clean(" ".join(parts))


def _annotations(node: ast.ClassDef | ast.FunctionDef) -> Iterator[tuple[str, str]]:
    if isinstance(node, ast.ClassDef):
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                yield item.target.id, _annotation(item.annotation)
        return
    for arg in [*node.args.args, *node.args.kwonlyargs]:
        if arg.annotation:
            yield arg.arg, _annotation(arg.annotation)


def _annotation(node: ast.expr) -> str:
    text = ast.unparse(node).replace("Union[str, PipelineVariable]", "str | PipelineVariable")
    return text if len(text) <= 90 else text[:89] + "…"


# -- output ----------------------------------------------------------------------------------------


def describe(sdk: Sdk, version: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The catalog and the documentation of one SDK."""
    classes: dict[str, Any] = {}
    functions: dict[str, Any] = {}
    docs: dict[str, Any] = {}
    wanted = _wanted_shapes(sdk)
    for name in sorted(sdk.modules):
        module = sdk.modules[name]
        if not sdk.is_relevant(name):
            continue
        for class_name, node in module.classes.items():
            dotted = f"{name}.{class_name}"
            if class_name.startswith("_") or (_is_shapes(name) and class_name not in wanted):
                continue
            classes[dotted] = entry = _describe_class(sdk, dotted, node)
            if entry["k"] != "other" or _DOCUMENTED.search(name):
                _add_docs(docs, dotted, node)
        for partial_name, call in module.partials.items():
            target, formals = sdk.partial(module, call)
            if target and not partial_name.startswith("_"):
                classes[f"{name}.{partial_name}"] = {"k": sdk.kind(target), "b": [target], "i": formals}
        for function_name, function in module.functions.items():
            if not function_name.startswith("_") and not _is_shapes(name):
                functions[f"{name}.{function_name}"] = _signature_entry(_plain(function))
                docs[f"{name}.{function_name}"] = _documentation(function)
    _add_foreign_bases(sdk, classes)
    known = classes.keys() | functions.keys()
    catalog = {
        "version": version,
        "modules": sorted(sdk.paths),
        "names": {
            name: " ".join(sorted(n for n in sdk.names_of(module) if not n.startswith("__")))
            for name, module in sorted(sdk.modules.items())
            if sdk.is_relevant(name) and not module.lazy and not _is_shapes(name)
        },
        "exports": _exports(sdk, known),
        "classes": classes,
        "functions": functions,
    }
    return catalog, docs


def _is_shapes(name: str) -> bool:
    return name.startswith("sagemaker.core.shapes")


def _wanted_shapes(sdk: Sdk) -> set[str]:
    """Shapes that other relevant modules name, and those that their fields name."""
    shapes = [module for name, module in sdk.modules.items() if _is_shapes(name)]
    known = {name: node for module in shapes for name, node in module.classes.items()}
    wanted: set[str] = set()
    for name, module in sdk.modules.items():
        if sdk.is_relevant(name) and not _is_shapes(name):
            text = module.path.read_text("utf-8")
            wanted |= {
                target.rpartition(".")[2] for target in module.names.values() if "core.shapes" in target
            }
            wanted |= set(re.findall(r"\bshapes\.(\w+)", text))
    wanted &= known.keys()
    queue = list(wanted)
    while queue:
        node = known[queue.pop()]
        fields = " ".join(ast.unparse(item.annotation) for item in _fields(node))
        for other in (set(re.findall(r"\w+", fields)) & known.keys()) - wanted:
            wanted.add(other)
            queue.append(other)
    return wanted


def _describe_class(sdk: Sdk, dotted: str, node: ast.ClassDef) -> dict[str, Any]:
    signature = sdk.init(dotted)
    entry: dict[str, Any] = {"k": sdk.kind(dotted), "b": sdk.bases(dotted), "i": signature.formals}
    if signature.open:
        entry["o"] = 1
    if not any(
        isinstance(base, ast.Name) and base.id == "BaseModel" for base in node.bases
    ) and _foreign_base(sdk, dotted):
        entry["f"] = 1
    methods, properties, constants = {}, [], {}
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
            marks = {ast.unparse(d).split(".")[-1].split("(")[0] for d in item.decorator_list}
            if marks & {"property", "setter", "cached_property", "getter"}:
                properties.append(item.name)
            else:
                methods[item.name] = _signature_entry(sdk.method(dotted, item))
        elif isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
            constants[item.targets[0].id] = sdk.constant(sdk.modules[dotted.rpartition(".")[0]], item.value)
    if methods:
        entry["m"] = methods
    if properties:
        entry["p"] = sorted(set(properties))
    if _is_enum(sdk, dotted):
        entry["e"] = {name: value for name, value in constants.items() if not name.startswith("_")}
    elif constants := {n: v for n, v in constants.items() if not n.startswith("__") and n != "model_config"}:
        entry["c"] = constants
    return entry


def _is_enum(sdk: Sdk, dotted: str) -> bool:
    for ancestor in sdk.ancestors(dotted):
        found = sdk.class_node(ancestor)
        if found and any("Enum" in ast.unparse(base) for base in found[1].bases):
            return True
    return False


def _foreign_base(sdk: Sdk, dotted: str) -> bool:
    """Whether an ancestor lies outside of the SDK, so that more attributes may exist than we list."""
    for ancestor in sdk.ancestors(dotted):
        found = sdk.class_node(ancestor)
        for base in found[1].bases if found else ():
            text = ast.unparse(base)
            if (
                sdk.lookup(found[0], base) is None
                and text not in _PLAIN_BASES
                and "with_metaclass" not in text
            ):
                return True
    return False


def _plain(node: ast.FunctionDef) -> Signature:
    formals = _formals(node, skip_first=False)
    return Signature(formals, open=bool(formals) and formals[-1].startswith("**"))


def _signature_entry(signature: Signature) -> Any:
    return {"i": signature.formals, "o": 1} if signature.open else signature.formals


def _add_docs(docs: dict[str, Any], dotted: str, node: ast.ClassDef) -> None:
    docs[dotted] = _documentation(node)
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and not item.name.startswith("_") and ast.get_docstring(item):
            docs[f"{dotted}.{item.name}"] = _documentation(item)


def _add_foreign_bases(sdk: Sdk, classes: dict[str, Any]) -> None:
    """Ancestors that lie in modules which are not relevant by themselves."""
    queue = [base for entry in classes.values() for base in entry["b"]]
    while queue:
        dotted = queue.pop()
        found = sdk.class_node(dotted)
        if dotted in classes or found is None:
            continue
        classes[dotted] = _describe_class(sdk, dotted, found[1])
        queue += classes[dotted]["b"]


def _exports(sdk: Sdk, known: set[str]) -> dict[str, dict[str, str]]:
    """Names by which modules offer what is defined elsewhere: module -> name -> dotted definition."""
    exports: dict[str, dict[str, str]] = {}
    for name in sorted(sdk.modules):
        module = sdk.modules[name]
        if not sdk.is_relevant(name):
            continue
        for exported in sorted(sdk.names_of(module)):
            target = sdk.resolve(f"{name}.{exported}")
            if target and target in known and target != f"{name}.{exported}":
                exports.setdefault(name, {})[exported] = target
    return exports


def frameworks(*folders: Path) -> dict[str, Any]:
    """Versions of each framework and scope, united over both SDKs.

    Shape: framework -> scope -> {"v": {version: {"py": [...], "p": [processors]}}, "a": {alias: version}};
    for Hugging Face the base framework's versions stand under "base".
    """
    result: dict[str, Any] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.json")):
            config = json.loads(path.read_text("utf-8"))
            scopes = dict.fromkeys(config.get("scope", ()), config) if "versions" in config else config
            for scope, content in scopes.items():
                if isinstance(content, dict) and "versions" in content:
                    _unite(result.setdefault(path.stem, {}).setdefault(scope, {}), content)
    return result


def _unite(target: dict[str, Any], content: dict[str, Any]) -> None:
    aliases = target.setdefault("a", {})
    aliases.update(content.get("version_aliases", {}))
    versions = target.setdefault("v", {})
    for version, details in content["versions"].items():
        entry = versions.setdefault(version, {})
        bases = {k: v for k, v in details.items() if isinstance(v, dict) and "registries" in v}
        for base, inner in bases.items():
            entry.setdefault("base", {})[base] = sorted(
                set(entry.get("base", {}).get(base, [])) | set(inner.get("py_versions", []))
            )
        if not bases:
            entry["py"] = sorted(set(entry.get("py", [])) | set(details.get("py_versions", [])))
        processors = details.get("processors") or content.get("processors") or []
        entry["p"] = sorted(set(entry.get("p", [])) | set(processors))


def gpu_families(folder: Path) -> list[str]:
    """Instance families with GPUs, from the SDK's own table."""
    content = json.loads((folder / "instance_gpu_info.json").read_text("utf-8"))
    families = {name.split(".")[1] for region in content.values() for name in region}
    return sorted(families)


def write(name: str, content: Any) -> None:
    path = TARGET / name
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n", "utf-8")
    print(f"{path.name}: {path.stat().st_size // 1024} KiB", file=sys.stderr)


def _version(site: Path) -> str:
    for folder in site.glob("sagemaker-*.dist-info"):
        return folder.name.removeprefix("sagemaker-").removesuffix(".dist-info")
    raise SystemExit(f"{site} holds no sagemaker distribution")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--v2", type=Path, required=True, help="site-packages folder that holds SDK v2")
    parser.add_argument("--v3", type=Path, required=True, help="site-packages folder that holds SDK v3")
    options = parser.parse_args()
    for major, site, relevant in (("v2", options.v2, RELEVANT_V2), ("v3", options.v3, RELEVANT_V3)):
        catalog, docs = describe(Sdk(site, relevant), _version(site))
        write(f"sdk_{major}.json", catalog)
        write(f"docs_{major}.json", docs)
    v2_images = options.v2 / "sagemaker" / "image_uri_config"
    v3_images = options.v3 / "sagemaker" / "core" / "image_uri_config"
    write(
        "frameworks.json",
        {"frameworks": frameworks(v2_images, v3_images), "gpu": gpu_families(v2_images)},
    )


if __name__ == "__main__":
    main()
