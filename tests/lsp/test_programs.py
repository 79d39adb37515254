"""Programs as people write them: understood, and without one false word about them."""

from __future__ import annotations

from pathlib import Path

import pytest
from stepbridge_lsp.documents import AnyDocument, Workspace, open_document
from stepbridge_lsp.documents.notebook import NotebookDocument
from stepbridge_lsp.model import Pipeline
from stepbridge_lsp.rules import diagnose

PROGRAMS = Path(__file__).parent / "programs"
ROOT = PROGRAMS.parents[2]
FILES = sorted(path for path in PROGRAMS.rglob("*") if path.suffix in (".py", ".notebook"))


def opened(path: Path) -> AnyDocument:
    """The document of a program, in a workspace that has no environment of its own."""
    source = path.read_bytes()
    folder = PROGRAMS / path.relative_to(PROGRAMS).parts[0] if path.is_relative_to(PROGRAMS) else path.parent
    workspace = Workspace((folder,))
    if path.suffix == ".notebook":
        document = NotebookDocument.of_file(path.with_suffix(".ipynb"), source, workspace)
    else:
        document = open_document(str(path), source, workspace)
    assert document is not None
    return document


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PROGRAMS)))
def test_nothing_is_wrong_with_it(path: Path) -> None:
    document = opened(path)
    found = [
        (finding.code, document.locate(finding.span).range.start, finding.message)
        for finding in diagnose(document)
        if finding.severity != "hint"
    ]
    assert found == []
    assert document.model.sees_all


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT))
)
def test_nothing_is_wrong_with_the_examples(path: Path) -> None:
    found = [finding for finding in diagnose(opened(path)) if finding.severity != "hint"]
    assert found == []


def only_pipeline(name: str) -> Pipeline:
    pipelines = opened(PROGRAMS / name).model.pipelines
    return pipelines[-1]


def names(pipeline: Pipeline) -> list[str]:
    return [step.name.shown for step in pipeline.walk()]


def test_a_function_with_unknown_arguments_is_understood() -> None:
    pipeline = only_pipeline("abalone/pipeline.py")
    assert (pipeline.name.text, pipeline.name.likely) == (None, "AbalonePipeline")
    assert names(pipeline) == [
        "PreprocessAbaloneData",
        "TrainAbaloneModel",
        "EvaluateAbaloneModel",
        "CheckMSEAbaloneEvaluation",
        "RegisterAbaloneModel",
    ]
    assert pipeline.complete
    evaluate = next(step for step in pipeline.walk() if step.name.text == "EvaluateAbaloneModel")
    assert [source.name.text for source in evaluate.data_dependencies] == [
        "TrainAbaloneModel",
        "PreprocessAbaloneData",
    ]


def test_the_old_style_is_understood() -> None:
    pipeline = only_pipeline("classic/pipeline.py")
    check = next(step for step in pipeline.steps if step.type == "Condition")
    assert [step.name.text for step in check.if_steps] == [
        "ChurnRegister",
        "ChurnCreateModel",
        "ChurnTransform",
    ]
    assert [parameter.name.text for parameter in pipeline.parameters] == [
        "InputData",
        "ProcessingInstanceCount",
        "TrainingInstanceType",
        "ModelApprovalStatus",
    ]


def test_methods_of_a_class_and_settings_of_another_module_are_followed() -> None:
    pipeline = only_pipeline("builder/pipeline.py")
    assert pipeline.name.text == "sentiment-pipeline"
    assert names(pipeline) == [
        f"sentiment-{name}" for name in ("Process", "Tune", "Evaluate", "Create", "Register", "Deploy")
    ]
    assert pipeline.complete


def test_values_cross_the_modules_of_a_package() -> None:
    document = opened(PROGRAMS / "package/pipeline.py")
    pipeline = document.model.pipelines[-1]
    assert names(pipeline) == ["Prepare", "Train"]
    assert [parameter.name.text for parameter in pipeline.parameters] == ["InstanceCount", "InstanceType"]
    train = pipeline.steps[1]
    assert [step.name.text for step in train.data_dependencies] == ["Prepare"]
    assert {Path(path).name for path in document.dependencies} >= {"config.py", "prepare.py", "train.py"}


def test_loops_are_unknown() -> None:
    pipeline = only_pipeline("loops/pipeline.py")
    assert pipeline.open_steps
    assert pipeline.open_parameters
    assert pipeline.steps[0].name.text is None


def test_functions_under_step_are_steps() -> None:
    pipeline = only_pipeline("functions/pipeline.py")
    scores = pipeline.steps[0]
    assert scores.type == "Training"
    assert [step.name.text for step in scores.data_dependencies] == ["train", "prepare"]


def test_a_notebook_is_one_program() -> None:
    document = opened(PROGRAMS / "notebooks/abalone.notebook")
    first, second = document.model.pipelines
    assert names(first) == ["AbaloneProcess", "AbaloneTrain", "AbaloneMSEFail"]
    assert "AbaloneRegisterModel" in names(second)
    location = document.locate(second.name.span)
    assert location.uri.endswith("#cell13")
    assert location.range.start.line == 13


def test_the_other_major_is_understood() -> None:
    document = opened(PROGRAMS / "trainer/pipeline.py")
    assert document.model.sdk == "v3"
    assert names(document.model.pipelines[-1]) == ["Prepare", "EnoughData", "Train", "TooFew"]
