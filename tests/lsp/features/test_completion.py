"""What may stand where the cursor is, in programs that are being written."""

from __future__ import annotations

from pathlib import Path

import pytest
from stepbridge_lsp.features.completion import Completion, complete, documentation_of

from tests.lsp.features.programs import IMPORTS, PIPELINE, STEPS, TRAIN_SCRIPT, at


def labels(text: str, folder: Path | None = None) -> list[str]:
    return [item.label for item in items(text, folder)]


def items(text: str, folder: Path | None = None) -> list[Completion]:
    document, offset = at(text, folder)
    return complete(document, offset)


def test_members_of_properties_level_by_level() -> None:
    assert "ModelArtifacts" in labels("x = train.properties.|")
    assert labels("x = train.properties.ModelArtifacts.|") == ["S3ModelArtifacts"]
    assert "properties" in labels("x = train.|")
    assert labels("x = train.properties.Nothing.|") == []
    assert labels('x = prepare.properties.ProcessingOutputConfig.Outputs["train"].|')[:2] == [
        "OutputName",
        "S3Output",
    ]


def test_members_know_their_documentation() -> None:
    member = next(item for item in items("train.properties.Model|") if item.label == "ModelArtifacts")
    assert member.lookup == ("DescribeTrainingJobResponse", "ModelArtifacts")
    assert member.detail == "ModelArtifacts"
    assert "S3" in documentation_of(member.lookup)
    document, _ = at("train.properties.Model|")
    assert document.source[member.span.start : member.span.end] == b"Model"


@pytest.mark.parametrize("text", ['Outputs["|"]', 'Outputs["tr|"]', "Outputs['|", "Outputs[|]"])
def test_output_names(text: str) -> None:
    assert labels(f"x = prepare.properties.ProcessingOutputConfig.{text}") == ["train", "evaluation"]


def test_instance_types_of_that_kind_of_job() -> None:
    processing = labels('ScriptProcessor(instance_type="ml.|")')
    training = labels('SKLearn(entry_point="t.py", instance_type="|")')
    assert "ml.t3.medium" in processing
    assert "ml.m5.large" in training
    assert "ml.trn1.2xlarge" in training
    assert "ml.trn1.2xlarge" not in processing
    assert (
        processing.index("ml.m5.large")
        < processing.index("ml.m5.xlarge")
        < processing.index("ml.m5.12xlarge")
    )


def test_framework_and_python_versions() -> None:
    assert labels('SKLearn(framework_version="|")')[0] == "1.9-0"
    assert "1.2-1" in labels('SKLearnProcessor(framework_version="|")')
    chosen = labels('PyTorch(framework_version="2.1", py_version="|")')
    assert chosen == ["py310"]
    assert labels('image_uris.retrieve("xgboost", "eu-west-1", version="1.7|")')[0] > "1"
    assert "pytorch" in labels('image_uris.retrieve(framework="|")')


def test_enumerations_of_the_service() -> None:
    assert labels('ProcessingInput(source="s3://b", s3_input_mode="|")') == ["File", "Pipe"]
    assert labels('TrainingInput("s3://b", input_mode="|")') == ["FastFile", "File", "Pipe"]


def test_step_names() -> None:
    text = 'FailStep(name="F", depends_on=["|"])'
    assert {"Prepare", "Train"} <= set(labels(text))
    assert "F" not in labels(text)
    assert labels('JsonGet(step_name="|")')[0] == "Prepare"  # the one with property files comes first


def test_property_files_and_their_outputs() -> None:
    assert labels('JsonGet(step_name="Prepare", property_file="|")') == ["Report"]
    assert labels('PropertyFile(name="R", output_name="|")') == ["train", "evaluation"]


def test_parameters_of_a_start() -> None:
    started = 'p = Pipeline(name="p", parameters=[stage, rounds], steps=[])\n'
    assert labels(started + 'p.start(parameters={"|"})') == ["Stage", "Rounds"]
    assert labels(started + 'p.start(parameters={"Stage": "|"})') == ["dev", "prod"]


def test_values_of_a_parameter() -> None:
    assert labels('ConditionEquals(left=stage, right="|")') == ["dev", "prod"]
    assert labels('ParameterString(name="A", enum_values=["x", "y"], default_value="|")') == ["x", "y"]


def test_hyperparameters_that_the_script_reads(tmp_path: Path) -> None:
    found = items('SKLearn(entry_point="train.py", hyperparameters={"|"})', tmp_path)
    assert [(item.label, item.detail) for item in found] == [("rounds", "int = 10"), ("max-depth", "int = 6")]
    assert found[0].documentation == "How many."
    given = labels('SKLearn(entry_point="train.py", hyperparameters={"rounds": 1, "|"})', tmp_path)
    assert given == ["max-depth"]
    assert "--rounds" in TRAIN_SCRIPT


def test_keyword_arguments_required_ones_first() -> None:
    found = items("ProcessingStep(na|)")
    assert found[0].label == "name="
    assert "step_args=" in [item.label for item in found]
    assert "step_args=" not in labels('ProcessingStep("P", None, step_args=1, |)')
    assert "name=" not in labels('ProcessingStep("P", |)')


def test_steps_and_parameters_that_are_not_listed_yet() -> None:
    assert "train" not in labels("Pipeline(name='p', steps=[train, |])")
    assert "prepare" in labels("Pipeline(name='p', steps=[train, |])")
    assert labels("Pipeline(name='p', parameters=[stage, |])") == ["rounds"]


def test_parameters_where_a_variable_may_stand() -> None:
    found = labels("SKLearnProcessor(instance_type=|)")
    assert "stage" in found
    assert '"ml.m5.large"' not in found  # the label is the value; what is written has quotes
    quoted = next(item for item in items("SKLearnProcessor(instance_type=|)") if item.label == "ml.m5.large")
    assert quoted.text == '"ml.m5.large"'


def test_silence_where_nothing_is_known() -> None:
    for text in ("x = 'a|'", "# SKLearn(|", "x = unknown.|", "f('|')", "print(|", "f'{train|}'", "import |"):
        assert labels(text) == [], text


def test_a_program_that_is_wholly_broken() -> None:
    document, offset = at(
        'pipeline = Pipeline(name="p", steps=[prepare, |\n\ndef f(:\n  x = [', whole=IMPORTS + STEPS
    )
    assert "train" in [item.label for item in complete(document, offset)]
    document, offset = at("x = train.properties.|\n" + PIPELINE)
    assert "ModelArtifacts" in [item.label for item in complete(document, offset)]
