"""Rules on the document as a whole: its text, its top level, the kinds of its parts (J001 to J010)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stepbridge.definition.document import VERSION
from stepbridge.definition.values import UNKNOWN, kind, shown

from .findings import Report, insert, rename, replace
from .model import Mismatch, Pipeline, StepView
from .registry import rule

MAX_TEXT = 1_048_576
TOP_LEVEL = ("Version", "Metadata", "Parameters", "PipelineExperimentConfig", "MlflowConfig", "Steps")
_METADATA_KEY = re.compile(r"[A-Za-z0-9\-_]{1,128}")


@rule(
    "J001",
    "error",
    "Not JSON",
    on="text",
    example='{"Version": "2020-12-01", "Steps": [],}',
    source="RFC 8259",
)
def not_json() -> Iterator[Report]:
    """The text of a definition must be JSON."""
    yield from ()  # reported by `check`, which reads the text


@rule(
    "J002",
    "error",
    "Version",
    on="document",
    example='{"Version": "2020-12-02"}',
    source="S (enum); K: pipeline.py _version",
)
def version(pipeline: Pipeline) -> Iterator[Report]:
    """`Version` must be there, and be "2020-12-01"."""
    document = pipeline.document
    found = document.get("Version", UNKNOWN if UNKNOWN in document else None)
    if not isinstance(pipeline.root, dict) or found is UNKNOWN or found == VERSION:
        return
    if "Version" not in document:
        fix = insert(("Version",), VERSION, "Add the version")
        yield Report(f'The definition has no Version; it must be "{VERSION}".', (), fix=fix)
    else:
        fix = replace(("Version",), VERSION, f'Replace by "{VERSION}"')
        yield Report(f'Version must be "{VERSION}", not {shown(found)}.', ("Version",), fix=fix)


@rule("J003", "error", "Steps", on="document", example='{"Version": "2020-12-01"}', source="S (required)")
def steps_required(pipeline: Pipeline) -> Iterator[Report]:
    """A definition must have `Steps`."""
    document = pipeline.document
    if isinstance(pipeline.root, dict) and document.get("Steps") is None and UNKNOWN not in document:
        yield Report("The definition has no Steps.", ("Steps",) if "Steps" in document else ())


@rule(
    "J004",
    "warning",
    "No steps",
    on="document",
    example='{"Version": "2020-12-01", "Steps": []}',
    source="I; V: the SDK writes it",
)
def no_steps(pipeline: Pipeline) -> Iterator[Report]:
    """A pipeline without steps does nothing; the service is likely to refuse it."""
    if pipeline.document.get("Steps") == []:
        yield Report("The pipeline has no steps.", ("Steps",))


@rule(
    "J005",
    "error",
    "Unknown key at the top level",
    on="document",
    example='{"Version": "2020-12-01", "Step": []}',
    source="S (additionalProperties), and what the SDK writes",
)
def unknown_top_level_key(pipeline: Pipeline) -> Iterator[Report]:
    """The top level has Version, Metadata, Parameters, PipelineExperimentConfig, MlflowConfig and Steps."""
    for key in pipeline.document:
        if key is not UNKNOWN and key not in TOP_LEVEL:
            close = pipeline.near(key, TOP_LEVEL)
            fix = rename((key,), close[0]) if close and close[0] not in pipeline.document else None
            yield Report(
                f"{shown(key)} is no key of a pipeline definition.",
                (key,),
                at_key=True,
                suggestions=close,
                fix=fix,
                severity=None if close else "warning",
            )


@rule(
    "J006",
    "warning",
    "Duplicate key",
    on="duplicate",
    example='{"Name": "Train", "Name": "Evaluate"}',
    source="RFC 8259: behaviour unpredictable",
)
def duplicate_key(pipeline: Pipeline, pointer: tuple[str | int, ...], key: str) -> Iterator[Report]:
    """An object has a key twice; all but the last are lost."""
    yield Report(
        f"The key {shown(key)} stands twice in this object; the last one counts.", (*pointer, key), True
    )


@rule(
    "J007",
    "error",
    "Definition too long",
    on="text",
    example="(a definition of 1.2 million characters)",
    source="B: PipelineDefinition",
)
def too_long(text: str) -> Iterator[Report]:
    """The service takes definitions of up to 1,048,576 characters."""
    if len(text) > MAX_TEXT:
        yield Report(f"The definition has {len(text):,} characters; the service takes {MAX_TEXT:,}.", ())


@rule(
    "J008",
    "warning",
    "Metadata",
    on="document",
    example='{"Metadata": {"a b": "x"}}',
    source="S",
)
def metadata(pipeline: Pipeline) -> Iterator[Report]:
    """Metadata is an object of strings of up to 1024 characters; keys are letters, digits, `-` and `_`."""
    found = pipeline.document.get("Metadata")
    if not isinstance(found, dict):
        if found is not None and found is not UNKNOWN:
            yield Report(f"Metadata must be an object, and is {kind(found)}.", ("Metadata",))
        return
    for key, value in found.items():
        if key is UNKNOWN:
            continue
        place = ("Metadata", key)
        if isinstance(key, str) and not _METADATA_KEY.fullmatch(key):
            yield Report(
                f"The key {shown(key)} must be 1 to 128 letters, digits, - and _.", place, at_key=True
            )
        if value is not UNKNOWN and (not isinstance(value, str) or len(value) > 1024):
            what = "is too long" if isinstance(value, str) else f"is {kind(value)}"
            yield Report(f"Metadata values are strings of up to 1024 characters; this one {what}.", place)


@rule(
    "J009",
    "error",
    "Wrong kind of value",
    on="mismatch:J009",
    example='{"VpcConfig": {"SecurityGroupIds": {"Get": "Parameters.Group"}}}',
    source='E 2345 "Expecting start of Json Array.", E 3908 "Expecting start of Json Object."',
)
def wrong_container(pipeline: Pipeline, mismatch: Mismatch) -> Iterator[Report]:
    """Where an object or an array belongs, nothing else may stand, no reference to a single value either."""
    fix = None
    if mismatch.expected == "an array" and isinstance(mismatch.value, str | dict) and mismatch.pointer:
        fix = replace(mismatch.pointer, [mismatch.value], "Wrap in an array")
    place = "here" if not mismatch.pointer else shown(mismatch.pointer[-1])
    yield Report(
        f"{mismatch.expected.capitalize()} is expected for {place}, not {kind(mismatch.value)}."
        if mismatch.pointer
        else f"A pipeline definition must be an object, not {kind(mismatch.value)}.",
        mismatch.pointer,
        fix=fix,
    )


@rule(
    "J010",
    "error",
    "Unknown key in a step",
    on="step",
    example='{"Name": "A", "Type": "Training", "Arguments": {}, "DependOn": ["B"]}',
    source="S (additionalProperties), and the SDK's step classes",
)
def unknown_step_key(pipeline: Pipeline, step: StepView) -> Iterator[Report]:
    """A step has the keys of its type and no others."""
    step_kind = step.kind
    if step_kind is None or not step_kind.settled:
        return
    known = step_kind.keys
    for key in step.raw:
        if key is UNKNOWN or key in known:
            continue
        close = pipeline.near(key, known)
        fix = rename((*step.pointer, key), close[0]) if close and close[0] not in step.raw else None
        yield Report(
            f"{shown(key)} is no key of a {step.type} step.",
            (*step.pointer, key),
            at_key=True,
            suggestions=close,
            fix=fix,
            severity=None if close else "warning",  # it may be newer than we are
        )
