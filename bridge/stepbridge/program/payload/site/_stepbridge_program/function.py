"""Calls a function that makes a pipeline, with the arguments a user named and those that are obvious."""

import difflib
import importlib
import inspect
import json
import os
import sys
import typing

from . import startup

_TRUE, _FALSE = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


class Problem(Exception):
    """Something the user can act on; `report` is what the record says of it."""

    def __init__(self, **report):
        super().__init__(report["kind"])
        self.report = report


def run(path, name, given):
    """Make the pipeline `name` of `path` (a function or a pipeline object) and create it at the endpoint."""
    try:
        _declare(_make(_import(path), name, given))
    except Problem as problem:
        startup.record.problem = problem.report
        sys.exit(2)


def _import(path):
    """Import the file under the name that its own package's relative imports expect."""
    folder, file = os.path.split(path)
    names = [os.path.splitext(file)[0]]
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        names.insert(0, package)
    sys.path[0] = folder
    return importlib.import_module(".".join(names))


def _make(module, name, given):
    found = getattr(module, name, None)
    if found is None:
        known = sorted(key for key, value in vars(module).items() if _could_be_meant(key, value, module))
        raise Problem(kind="no-such-name", name=name, names=known)
    if not callable(found):
        return found
    return found(**_arguments(found, given))


def _could_be_meant(name, value, module):
    if name.startswith("_") or isinstance(value, type):
        return False
    return _is_pipeline(value) or (callable(value) and getattr(value, "__module__", "") == module.__name__)


def _arguments(function, given):
    """The keyword arguments of the call: the given ones by type, then the obvious ones among the missing."""
    parameters = inspect.signature(function).parameters
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    named = {name: p for name, p in parameters.items() if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    unknown = [name for name in given if name not in named]
    if unknown and not open_ended:
        close = difflib.get_close_matches(unknown[0], named, 1)
        raise Problem(kind="unknown-argument", name=unknown[0], names=sorted(named), close=close)
    hints = _type_hints(function)
    values = {name: _typed(name, text, named.get(name), hints.get(name)) for name, text in given.items()}
    needed = [name for name, p in named.items() if name not in values and p.default is p.empty]
    context = _Context()
    missing = [name for name in needed if not context.knows(name)]
    if missing:
        raise Problem(kind="missing-arguments", name=function.__name__, names=missing)
    values.update((name, context.value(name)) for name in needed)
    return values


def _type_hints(function):
    try:
        return typing.get_type_hints(function)
    except Exception:  # a hint may name what is only imported for type checkers
        return {}


def _typed(name, text, parameter, hint):
    wanted = _plain_type(hint)
    if wanted is None and parameter is not None and parameter.default not in (parameter.empty, None):
        wanted = type(parameter.default)
    try:
        if wanted is bool:
            return _flag(text)
        if wanted in (int, float):
            return wanted(text)
        if wanted in (list, dict, tuple):
            return wanted(json.loads(text))
    except ValueError:
        raise Problem(kind="bad-argument", name=name, value=text, type=wanted.__name__)
    return text


def _plain_type(hint):
    """`int` of `Optional[int]`, `list` of `List[str]`; None where nothing simple is meant."""
    arguments = [item for item in getattr(hint, "__args__", ()) or () if item is not type(None)]
    origin = getattr(hint, "__origin__", None)
    if origin is typing.Union or type(hint).__name__ == "UnionType":
        return _plain_type(arguments[0]) if len(arguments) == 1 else None
    return origin or (hint if isinstance(hint, type) else None)


def _flag(text):
    if text.strip().lower() in _TRUE:
        return True
    if text.strip().lower() in _FALSE:
        return False
    raise ValueError(text)


class _Context:
    """Values that a function may ask for without the user naming them."""

    _NAMES = {
        "region": ("region", "aws_region", "region_name"),
        "role": ("role", "role_arn", "execution_role", "execution_role_arn", "sagemaker_role"),
        "session": ("session", "sagemaker_session", "sm_session", "sess", "pipeline_session"),
        "boto_session": ("boto_session", "boto3_session", "boto_sess"),
        "bucket": ("default_bucket", "bucket", "bucket_name", "s3_bucket"),
        "account": ("account", "account_id", "aws_account_id"),
    }

    def __init__(self):
        self._by_name = {name: kind for kind, names in self._NAMES.items() for name in names}
        self._made = {}

    def knows(self, name):
        return name in self._by_name

    def value(self, name):
        kind = self._by_name[name]
        if kind not in self._made:
            self._made[kind] = getattr(self, "_" + kind)()
        return self._made[kind]

    def _region(self):
        return os.environ["AWS_DEFAULT_REGION"]

    def _role(self):
        return os.environ["STEPBRIDGE_ROLE"]

    def _account(self):
        return self._role().split(":")[4]

    def _boto_session(self):
        import boto3

        return boto3.Session()

    def _session(self):
        return _pipeline_session()()

    def _bucket(self):
        return self.value("session").default_bucket()


def _pipeline_session():
    """The class `PipelineSession` of the SDK that is installed: v3's, else v2's."""
    for name in ("sagemaker.core.workflow.pipeline_context", "sagemaker.workflow.pipeline_context"):
        try:
            return importlib.import_module(name).PipelineSession
        except ImportError:
            continue
    raise Problem(kind="missing-package", name="sagemaker")


def _is_pipeline(value):
    return not isinstance(value, type) and all(
        hasattr(value, method) for method in ("upsert", "start", "definition")
    )


def _declare(made):
    pipelines = list(made.values()) if isinstance(made, dict) else made
    for pipeline in pipelines if isinstance(pipelines, (list, tuple)) else [pipelines]:
        if not _is_pipeline(pipeline):
            raise Problem(kind="no-pipeline", name=type(pipeline).__name__)
        pipeline.upsert(role_arn=os.environ["STEPBRIDGE_ROLE"])
