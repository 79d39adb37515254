"""Positions of steps: what the text of a program tells about the lines that make its steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from stepbridge.dap.positions import Positions, program_files, read

PROGRAM = """\
PREFIX = "wine"
trees = ParameterInteger(name="Trees", default_value=3)

prepare = ProcessingStep(
    name="Prepare",
    step_args=processor.run(code="prepare.py"),
)
train = TrainingStep("Train", estimator=estimator)
for region in regions:
    steps.append(TransformStep(name=f"{PREFIX}-score-{region}", inputs=None))
pipeline = Pipeline(
    name="p",
    steps=[
        prepare,
        ConditionStep(
            name="Good" + "Enough",
            if_steps=[
                FailStep(name="Fail"),
            ],
        ),
    ],
)

@step(name="Evaluate", instance_type="ml.m5.large")
def evaluate(model):
    return model.score()

@step
def report():
    return 1

def make(name):
    return TuningStep(name=name)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.py"
    path.write_text(PROGRAM)
    return path


@pytest.mark.parametrize(
    ("line", "step"),
    [
        (1, None),
        (3, None),
        (4, "Prepare"),
        (6, "Prepare"),
        (8, "Train"),
        (12, None),
        (15, "GoodEnough"),
        (18, "Fail"),
        (19, "GoodEnough"),
        (24, "Evaluate"),
        (25, "Evaluate"),
        (26, None),
        (28, "report"),
    ],
)
def test_a_line_belongs_to_the_innermost_step_written_there(
    program: Path, line: int, step: str | None
) -> None:
    found = Positions().of(program).at(line)
    assert (found.name if found else None) == step


@pytest.mark.parametrize(
    ("step", "kind", "line"),
    [
        ("Train", "Training", 8),
        ("wine-score-eu", "Transform", 10),
        ("GoodEnough", "Condition", 15),
        ("Prepare-RepackModel-0", "Training", 4),
        ("anything", "Tuning", 33),
        ("anything", "Training", None),
        ("report-1b2c", "Training", 28),
    ],
)
def test_a_step_is_found_at_the_most_specific_place(
    program: Path, step: str, kind: str, line: int | None
) -> None:
    found = Positions().find(step, kind, [program])
    assert (found.line if found else None) == line


def test_variables_stand_for_the_step_or_parameter_they_hold(program: Path) -> None:
    variables = dict(Positions().of(program).variables)
    assert variables == {"trees": "Parameters.Trees", "prepare": "Steps.Prepare", "train": "Steps.Train"}


def test_a_changed_file_is_read_again(program: Path) -> None:
    positions = Positions()
    assert positions.of(program).at(8)
    program.write_text("\n" * 20 + PROGRAM)
    assert positions.of(program).at(8) is None
    assert positions.of(program).at(28)


def test_a_program_that_cannot_be_parsed_has_no_steps(tmp_path: Path) -> None:
    assert read(tmp_path / "p.py", "def (:").steps == ()
    assert Positions().of(tmp_path / "absent.py").steps == ()


def test_steps_of_a_definition_are_its_objects_in_step_arrays(tmp_path: Path) -> None:
    definition = {
        "Version": "2020-12-01",
        "Steps": [
            {"Name": "A", "Type": "Training", "Arguments": {"Tags": [{"Name": "no step"}]}},
            {"Name": "C", "Type": "Condition", "Arguments": {"IfSteps": [{"Name": "B", "Type": "Fail"}]}},
        ],
    }
    text = json.dumps(definition, indent=1)
    found = read(tmp_path / "p.json", text)
    assert [step.name for step in found.steps] == ["A", "C", "B"]
    line = text.splitlines().index('      "Name": "B",') + 1
    inner = found.at(line)
    assert inner is not None
    assert inner.name == "B"


def test_local_modules_of_a_program_are_followed(tmp_path: Path) -> None:
    (tmp_path / "pipeline.py").write_text("import json\nfrom steps import train\nfrom .other import x\n")
    (tmp_path / "steps").mkdir()
    (tmp_path / "steps" / "__init__.py").write_text("")
    (tmp_path / "steps" / "train.py").write_text("from . import shared\nimport pipeline\n")
    (tmp_path / "steps" / "shared.py").write_text("")
    (tmp_path / "other.py").write_text("")
    names = [str(file.relative_to(tmp_path)) for file in program_files(tmp_path / "pipeline.py")]
    assert names[0] == "pipeline.py"
    assert set(names) == {"pipeline.py", "steps/__init__.py", "steps/train.py", "steps/shared.py", "other.py"}
