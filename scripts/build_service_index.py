"""Build the compact index of the service's shapes that the rules, hovers and completions read.

Reads the model that botocore ships and keeps what step types use: requests, the results that properties refer
to, and the calls that create and start pipelines. Types, members, required, enums, limits and patterns go to
`service_index.json`, documentation (as Markdown) to `service_docs.json`, both beside `definition/service.py`.

    python scripts/build_service_index.py          writes the two files
    python scripts/build_service_index.py --check  exit status 1 when they are not what this botocore gives
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import botocore
from botocore.loaders import Loader

PACKAGE = Path(__file__).resolve().parent.parent / "bridge" / "stepbridge" / "definition"
INDEX = PACKAGE / "service_index.json"
DOCUMENTATION = PACKAGE / "service_docs.json"

# shapes to start from; everything that they reach is kept
ROOTS = {
    "sagemaker": (
        "CreateTrainingJobRequest",
        "CreateProcessingJobRequest",
        "CreateTransformJobRequest",
        "CreateHyperParameterTuningJobRequest",
        "CreateModelInput",
        "CreateModelPackageInput",
        "CreateAutoMLJobRequest",
        "CreateAutoMLJobV2Request",
        "CreateEndpointConfigInput",
        "CreateEndpointInput",
        "CreateInferenceComponentInput",
        "CreateActionRequest",
        "CreateArtifactRequest",
        "CreateContextRequest",
        "DescribeTrainingJobResponse",
        "DescribeProcessingJobResponse",
        "DescribeTransformJobResponse",
        "DescribeHyperParameterTuningJobResponse",
        "ListTrainingJobsForHyperParameterTuningJobResponse",
        "DescribeModelOutput",
        "DescribeModelPackageOutput",
        "DescribeAutoMLJobResponse",
        "DescribeEndpointConfigOutput",
        "DescribeEndpointOutput",
        "DescribeInferenceComponentOutput",
        "CreatePipelineRequest",
        "UpdatePipelineRequest",
        "StartPipelineExecutionRequest",
    ),
    "emr": ("StepConfig", "RunJobFlowInput", "Step"),
}

# Java's character classes, widened where Python has no such class: a pattern may only become more lenient
CLASSES = {
    r"\p{L}": r"\w",
    r"\p{M}": r"\w",
    r"\p{N}": r"\d",
    r"\p{Z}": r"\s",
    r"\p{Alnum}": "a-zA-Z0-9",
}


def build() -> tuple[dict[str, Any], dict[str, str]]:
    """The index and the documentation, by shape name; names of EMR shapes start with `emr:`."""
    shapes: dict[str, Any] = {}
    documentation: dict[str, str] = {}
    for service, roots in ROOTS.items():
        model = Loader().load_service_model(service, "service-2")["shapes"]
        prefix = "" if service == "sagemaker" else service + ":"
        for name in _reachable(model, roots):
            shapes[prefix + name] = _compact(model[name], prefix)
            documentation.update(_documentation(model[name], prefix + name))
    index = {"botocore": botocore.__version__, "shapes": dict(sorted(shapes.items()))}
    return index, dict(sorted(documentation.items()))


def _reachable(model: dict[str, Any], roots: Iterable[str]) -> set[str]:
    found: set[str] = set()
    pending = list(roots)
    while pending:
        name = pending.pop()
        if name not in found:
            found.add(name)
            pending.extend(reference["shape"] for reference in _references(model[name]))
    return found


def _references(shape: dict[str, Any]) -> list[dict[str, Any]]:
    direct = [shape[key] for key in ("member", "key", "value") if key in shape]
    return [*direct, *shape.get("members", {}).values()]


def _compact(shape: dict[str, Any], prefix: str) -> dict[str, Any]:
    kept: dict[str, Any] = {"type": shape["type"]}
    if "members" in shape:
        kept["members"] = {name: prefix + member["shape"] for name, member in shape["members"].items()}
    for key in ("required", "enum", "min", "max"):
        if key in shape:
            kept[key] = shape[key]
    for key in ("member", "key", "value"):
        if key in shape:
            kept[key] = prefix + shape[key]["shape"]
    pattern = _pattern(shape.get("pattern"))
    if pattern is not None:
        kept["pattern"] = pattern
    return kept


def _pattern(pattern: str | None) -> str | None:
    """The pattern for `re.fullmatch`, or None where it says nothing or Python cannot say it."""
    if pattern is None or pattern in (".*", r"[\s\S]*", r"[\S\s]*"):
        return None
    for java, python in CLASSES.items():
        pattern = pattern.replace(java, python)
    if r"\p" in pattern or "${" in pattern or r"\uD800" in pattern:
        return None
    re.compile(pattern)
    return pattern


def _documentation(shape: dict[str, Any], name: str) -> dict[str, str]:
    found = {name: _markdown(shape["documentation"])} if shape.get("documentation") else {}
    for member, reference in shape.get("members", {}).items():
        text = _markdown(reference.get("documentation", ""))
        if text:
            found[f"{name}.{member}"] = text
    return found


class _Markdown(HTMLParser):
    """Turns the little HTML of API documentation into Markdown."""

    MARKS = {"b": "**", "strong": "**", "i": "*", "em": "*", "code": "`"}
    BREAKS = {"p": "\n\n", "ul": "\n", "ol": "\n", "br": "\n"}
    REMARKS = {"note": "\n\n**Note:** ", "important": "\n\n**Important:** "}

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")
            self.parts.append("[")
        elif tag == "li":
            self.parts.append("\n- ")
        else:
            self.parts.append(self.MARKS.get(tag) or self.BREAKS.get(tag) or self.REMARKS.get(tag, ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self.links:
            link = self.links.pop()
            self.parts.append(f"]({link})" if link else "]")
        else:
            self.parts.append(self.MARKS.get(tag, ""))

    def handle_data(self, data: str) -> None:
        self.parts.append(re.sub(r"\s+", " ", data))


def _markdown(html: str) -> str:
    parser = _Markdown()
    parser.feed(html)
    parser.close()
    text = re.sub(r"(\n- |:\*\*) *\n+ *", r"\1 ", "".join(parser.parts)).replace("\n-  ", "\n- ")
    text = re.sub(r"\[\s*(`?)\s*([^\]]*?)\s*(`?)\s*\](?!\()", r"\1\2\3", text)
    text = re.sub(r" *\n *", "\n", text)
    text = re.sub(r"\n\n+(?=- )", "\n", text)
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _lines(entries: dict[str, Any]) -> str:
    """One entry a line, so that a change of the service reads well in a diff."""
    lines = (
        f"{json.dumps(key)}:{json.dumps(entry, separators=(',', ':'))}" for key, entry in entries.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}"


def texts() -> dict[Path, str]:
    """The content of both files."""
    index, documentation = build()
    head = f'{{"botocore":{json.dumps(index["botocore"])},"shapes":'
    return {INDEX: head + _lines(index["shapes"]) + "}\n", DOCUMENTATION: _lines(documentation) + "\n"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--check", action="store_true", help="write nothing, say whether the files are current"
    )
    options = parser.parse_args()
    stale = {
        path: text
        for path, text in texts().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }
    for path, text in stale.items():
        print(f"{path.name}: {'stale' if options.check else 'written'}")
        if not options.check:
            path.write_text(text, encoding="utf-8")
    return 1 if stale and options.check else 0


if __name__ == "__main__":
    sys.exit(main())
