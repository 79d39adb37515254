"""Rules on frameworks, their versions and images (P109 to P114)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepbridge_lsp.catalog import Framework, FrameworkVersion, framework
from stepbridge_lsp.values import Argument, Call, Const, ImageUri, SdkObject, is_none, text_of

from .context import Context, meant, suggest
from .findings import Report
from .registry import rule

# Class name (or the start of it) -> framework in the SDK's tables.
_FRAMEWORKS = {
    "SKLearn": "sklearn",
    "XGBoost": "xgboost",
    "PyTorch": "pytorch",
    "TensorFlow": "tensorflow",
    "MXNet": "mxnet",
    "HuggingFace": "huggingface",
    "Chainer": "chainer",
    "PySpark": "spark",
    "SparkJar": "spark",
}
_NEEDS_PYTHON = ("PyTorch", "TensorFlow", "MXNet", "Chainer")


def framework_of(made: SdkObject) -> Framework | None:
    """The versions that the images of an estimator, processor or model of a framework come in."""
    for start, name in _FRAMEWORKS.items():
        if made.cls.name.startswith(start):
            if made.kind == "model":
                return framework(name, "inference")
            return framework(name, "processing" if name == "spark" else "training")
    return None


@rule(
    "P109",
    "warning",
    "Command as a string",
    example='ScriptProcessor(command="python3", ...)',
    source="K processing.py: command + [script]; E 3642",
    moment="run",
)
def command(context: Context) -> Iterator[Report]:
    """`command` of a processor is a list: ["python3"]."""
    for made in context.objects("processor"):
        argument = made.call.argument("command")
        if argument is not None and text_of(argument.value) is not None:
            text = context.text(argument.span)
            fixes = context.replace(argument.span, f"[{text}]", "Put it into a list") if text else ()
            yield Report('command is a list, such as ["python3"].', argument.span, fixes)


@rule(
    "P110",
    "error",
    "Framework version",
    example='PyTorch(framework_version="2.1", py_version="py38", ...)',
    source="V: ValueError: Unsupported Python version: py38. (the SDK's image_uri_config)",
    moment="build",
)
def framework_version(context: Context) -> Iterator[Report]:
    """The SDK has images for certain versions of a framework, each with certain Python versions. Versions
    that are newer than all known ones are taken as good: the SDK may know them."""
    for made in context.objects("estimator", "processor", "model"):
        found = framework_of(made)
        if found is None or _has_image(made.call) or made.changed:
            continue
        name = "transformers_version" if found.name == "huggingface" else "framework_version"
        yield from _check_versions(context, found, made.call, name)
    for call in context.calls("retrieve"):
        scope = text_of(call.value("image_scope")) or "training"
        kind = text_of(call.value("framework"))
        found = framework(kind, scope) if kind is not None and "image_uris" in call.target.dotted else None
        if found is not None and found.name != "huggingface":
            yield from _check_versions(context, found, call, "version")


def _has_image(call: Call) -> bool:
    value = call.value("image_uri")
    return value is not None and not is_none(value)


def _check_versions(context: Context, found: Framework, call: Call, name: str) -> Iterator[Report]:
    argument = call.argument(name)
    version = text_of(argument.value) if argument is not None else None
    if argument is None or version is None:
        return
    known = found.find(version)
    if known is None:
        yield from _unknown_version(context, found, argument, version)
        return
    python = call.argument("py_version")
    wanted = text_of(python.value) if python is not None else None
    pythons = _pythons(known, call)
    if python is None or wanted is None or not pythons or wanted in pythons:
        return
    literal = context.literal(python.value)
    newest = pythons[-1]
    fixes = context.rename(literal, newest) if literal is not None else ()
    words = " or ".join(pythons)
    yield Report(
        f"{_shown(found)} {version} comes with {words}, not {wanted}.", python.span, fixes, (newest,)
    )


def _pythons(known: FrameworkVersion, call: Call) -> tuple[str, ...]:
    if not known.bases:
        return known.python
    for base in ("pytorch", "tensorflow"):
        version = text_of(call.value(f"{base}_version"))
        if version is not None:
            fitting = [p for b, p in known.bases.items() if b.startswith(f"{base}{version}")]
            return tuple(sorted({python for pythons in fitting for python in pythons}))
    return ()


def _unknown_version(
    context: Context, found: Framework, argument: Argument, version: str
) -> Iterator[Report]:
    numbers = _numbers(version)
    newest = max((_numbers(known) for known in found.names), default=())
    if not numbers or numbers > newest or version in ("latest",):
        return
    close = suggest(version, found.names) or _same_start(version, found.names)
    literal = context.literal(argument.value)
    fixes = context.rename(literal, close[0]) if close and literal is not None else ()
    message = f"The SDK has no image of {_shown(found)} {version} for {found.scope}.{meant(close)}"
    yield Report(message, argument.span, fixes, close, severity="warning")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _same_start(version: str, names: list[str]) -> tuple[str, ...]:
    start = ".".join(version.split(".")[:2])
    return tuple(name for name in names if name.startswith(start))[:3]


def _shown(found: Framework) -> str:
    names = {
        "sklearn": "scikit-learn",
        "xgboost": "XGBoost",
        "pytorch": "PyTorch",
        "tensorflow": "TensorFlow",
    }
    return names.get(found.name, found.name)


@rule(
    "P111",
    "error",
    "No framework version",
    example='PyTorch(entry_point="train.py", role=role, instance_type="ml.m5.large", instance_count=1)',
    source="V: ValueError: framework_version or py_version was None, yet image_uri was also None.",
    moment="build",
)
def without_version(context: Context) -> Iterator[Report]:
    """An estimator of a framework needs `framework_version` and `py_version`, or `image_uri`."""
    for made in context.objects("estimator"):
        call = made.call
        if call.open or made.cls.major != "v2" or _has_image(call):
            continue
        if made.cls.name == "SKLearn":
            needed = ["framework_version"]
        elif made.cls.name in _NEEDS_PYTHON:
            needed = ["framework_version", "py_version"]
        elif made.cls.name == "HuggingFace":
            needed = ["transformers_version", "py_version"]
        else:
            continue
        missing = [name for name in needed if _absent(call, name)]
        if missing:
            words = " and ".join(missing)
            yield Report(f"{made.cls.name} needs {words}, or image_uri.", call.name_span)


def _absent(call: Call, name: str) -> bool:
    value = call.value(name)
    if value is not None:
        return is_none(value)
    formal = call.target.by_name.get(name)
    return formal is not None and formal.default in (None, "None")


@rule(
    "P112",
    "error",
    "Image without instance type",
    example='image_uris.retrieve("pytorch", region, version="2.1", py_version="py310")',
    source="E 2863: ValueError: Empty SageMaker instance type.",
    moment="build",
)
def image_instance_type(context: Context) -> Iterator[Report]:
    """Where a framework has images for CPU and for GPU, `image_uris.retrieve` needs the instance type to
    choose.
    """
    for call in context.calls("retrieve"):
        if "image_uris" not in call.target.dotted or call.open:
            continue
        if any(not _is_absent(call, name) for name in ("instance_type", "serverless_inference_config")):
            continue
        name, scope = text_of(call.value("framework")), text_of(call.value("image_scope")) or "training"
        found = framework(name, scope) if name is not None else None
        known = found.find(text_of(call.value("version")) or "") if found is not None else None
        if known is not None and len(known.processors) > 1:
            yield Report(
                f"The images of {name} depend on the processor: instance_type is needed.", call.name_span
            )


def _is_absent(call: Call, name: str) -> bool:
    value = call.value(name)
    return value is None or is_none(value)


@rule(
    "P113",
    "warning",
    "P2 instance with a new PyTorch",
    example='PyTorch(framework_version="1.13", instance_type="ml.p2.xlarge", ...)',
    source="K image_uris.py: P2 instances are not supported from PyTorch 1.13 on",
    moment="build",
)
def old_gpu(context: Context) -> Iterator[Report]:
    """Images of PyTorch from 1.13 on do not run on P2 instances."""
    for call in context.calls_taking("framework_version", "version"):
        name = call.target.name
        version_name = "version" if name == "retrieve" else "framework_version"
        is_torch = name.startswith("PyTorch") or text_of(call.value("framework")) == "pytorch"
        kind = call.argument("instance_type")
        version = text_of(call.value(version_name)) if is_torch else None
        if kind is None or version is None or _numbers(version)[:2] < (1, 13):
            continue
        if (text_of(kind.value) or "").startswith("ml.p2."):
            yield Report(f"PyTorch {version} does not run on P2 instances.", kind.span)


_ECR = re.compile(r"\d{12}\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com")


@rule(
    "P114",
    "hint",
    "Images of several regions",
    example='Estimator(image_uri="...ecr.eu-west-1...") and Model(image_uri="...ecr.us-east-1...")',
    source="reading of the program",
    moment="run",
    default=False,
)
def image_region(context: Context) -> Iterator[Report]:
    """Jobs pull their image from the region that its URI names; one pipeline rarely means two."""
    found: list[tuple[str, Argument]] = []
    for call in context.calls_taking("image_uri"):
        argument = call.argument("image_uri")
        text = text_of(argument.value) if argument is not None else None
        match = _ECR.match(text) if text is not None else None
        if argument is not None and match is not None:
            found.append((match[1], argument))
    for region, argument in found:
        if region != found[0][0]:
            yield Report(f"This image is of {region}, others are of {found[0][0]}.", argument.span)


__all__ = ["Const", "ImageUri", "framework_of"]
