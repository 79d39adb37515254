"""What the pointer tells of a program."""

from __future__ import annotations

from pathlib import Path

import pytest
from stepbridge_lsp.features.hover import hover

from tests.lsp.features.programs import IMPORTS, PIPELINE, STEPS, find, program

WHOLE = IMPORTS + STEPS + PIPELINE


def text(place: str, skip: int = 0, folder: Path | None = None, whole: str = WHOLE) -> str | None:
    document = program(whole, folder)
    found = hover(document, find(document, place, skip))
    return found.text if found is not None else None


def test_parameter_by_name_and_by_variable() -> None:
    for place in ('"St|age"', "[st|age, rounds]"):
        words = text(place)
        assert words is not None
        assert words.startswith('**Stage**: pipeline parameter, String = "dev"'), words
        assert "One of `dev`, `prod`." in words
        assert "Used by `Prepare`, `Weak`." in words


def test_step_with_its_script_and_channels(tmp_path: Path) -> None:
    words = text("if_steps=[tr|ain]", folder=tmp_path)
    assert words is not None
    assert words.split("\n\n") == [
        "**Train**: Training",
        "Runs when `Check` holds.",
        "After `Prepare`.",
        "Runs `train.py`.",
        "Inputs: `train`",
    ]
    assert "Outputs: `train`, `evaluation`" in (text('step_name="Pre|pare"') or "")


def test_property_and_its_shape() -> None:
    words = text("prepare.properties.Processing|OutputConfig")
    assert words is not None
    assert words.startswith("**ProcessingOutputConfig** `ProcessingOutputConfig`")
    assert words.endswith("Of step `Prepare`: `ProcessingOutputConfig`")
    assert "S3Uri** `string`" in (text("S3|Uri)") or "")


def test_output_of_a_step() -> None:
    words = text('Outputs["tr|ain"]')
    assert words == "**train**: output of step `Prepare`  \nfrom `/opt/ml/processing/train`"


def test_argument_and_call_of_the_sdk() -> None:
    words = text("property_fi|les=[report]") or ""
    assert words.startswith("```python\nproperty_files=None  # Optional[List[PropertyFile]]")
    assert "A list of property files that workflow looks for" in words
    call = text("Train|ingStep(") or ""
    assert call.startswith("```python\nTrainingStep(\n    name,")
    assert "`TrainingStep` for SageMaker Pipelines Workflows." in call


def test_property_file() -> None:
    words = text("property_file=rep|ort")
    assert words is not None
    assert words.startswith("**Report**: property file, `evaluation.json` in output `evaluation`")
    assert words.endswith("Declared by `Prepare`.")


def test_instance_type() -> None:
    assert text('"ml.m5|.large"') == "**ml.m5.large**: for training, processing, transform, hosting"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('uri = f"s3://{bucket}/da|ta"', "s3://plain/data"),
        ('x = Join(on="/", values=["s3://b", stage, "d"])\ny = x|', "s3://b/{Stage}/d"),
        (
            "x = train.properties.ModelArtifacts.S3ModelArtifacts\ny = x|",
            "{Train.ModelArtifacts.S3ModelArtifacts}",
        ),
    ],
)
def test_texts_that_were_put_together(line: str, shown: str) -> None:
    document = program(WHOLE + 'bucket = "plain"\n' + line.replace("|", "") + "\n")
    found = hover(document, find(document, line))
    assert found is not None
    assert shown in found.text


@pytest.mark.parametrize("place", ["impo|rt image_uris", "se|ssion = Pipe", '"3|.9"', "rol|e = "])
def test_nothing_to_say(place: str) -> None:
    assert text(place, whole=WHOLE + 'x = "3.9"\n') is None
