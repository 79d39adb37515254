"""Programs for the feature tests: one with everything, and the place of a `|` in a text."""

from __future__ import annotations

from pathlib import Path

from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.documents.workspace import Workspace

IMPORTS = """\
from sagemaker import image_uris
from sagemaker.inputs import TrainingInput
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.sklearn import SKLearn, SKLearnProcessor
from sagemaker.pytorch import PyTorch
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionEquals, ConditionGreaterThan
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.lambda_step import LambdaOutput, LambdaStep
from sagemaker.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import ProcessingStep, TrainingStep

session = PipelineSession()
role = "arn:aws:iam::123456789012:role/R"
"""

STEPS = """\
stage = ParameterString(name="Stage", default_value="dev", enum_values=["dev", "prod"])
rounds = ParameterInteger(name="Rounds", default_value=3)
processor = SKLearnProcessor(
    framework_version="1.2-1",
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    sagemaker_session=session,
)
report = PropertyFile(name="Report", output_name="evaluation", path="evaluation.json")
prepare = ProcessingStep(
    name="Prepare",
    step_args=processor.run(
        code="prepare.py",
        arguments=["--stage", stage],
        outputs=[
            ProcessingOutput(output_name="train", source="/opt/ml/processing/train"),
            ProcessingOutput(output_name="evaluation", source="/opt/ml/processing/evaluation"),
        ],
    ),
    property_files=[report],
)
estimator = SKLearn(
    entry_point="train.py",
    framework_version="1.2-1",
    role=role,
    instance_type="ml.m5.large",
    instance_count=1,
    hyperparameters={"rounds": rounds},
    sagemaker_session=session,
)
train = TrainingStep(
    name="Train",
    step_args=estimator.fit(
        inputs={
            "train": TrainingInput(prepare.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri)
        }
    ),
)
"""

PIPELINE = """\
score = JsonGet(step_name="Prepare", property_file=report, json_path="a.b")
weak = FailStep(name="Weak", error_message=Join(on=" ", values=["too weak for", stage]))
check = ConditionStep(
    name="Check",
    conditions=[ConditionGreaterThan(left=score, right=0.5)],
    if_steps=[train],
    else_steps=[weak],
)
pipeline = Pipeline(
    name="demo", parameters=[stage, rounds], steps=[prepare, check], sagemaker_session=session
)
"""

PREPARE_SCRIPT = """\
from pathlib import Path

Path("/opt/ml/processing/evaluation/evaluation.json").write_text("{}")
print("/opt/ml/processing/train")
"""

TRAIN_SCRIPT = """\
import argparse

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=10, help="How many.")
parser.add_argument("--max-depth", type=int, default=6)
print(parser.parse_args())
"""


def program(text: str, folder: Path | None = None) -> PythonDocument:
    """A program; with a folder, its scripts lie beside it."""
    if folder is None:
        return PythonDocument("untitled:pipeline.py", text.encode(), Workspace())
    (folder / "train.py").write_text(TRAIN_SCRIPT)
    (folder / "prepare.py").write_text(PREPARE_SCRIPT)
    path = folder / "pipeline.py"
    path.write_text(text.replace("|", ""))
    return PythonDocument(f"file://{path}", text.encode(), Workspace((folder,)))


def at(text: str, folder: Path | None = None, whole: str = IMPORTS + STEPS) -> tuple[PythonDocument, int]:
    """The program `whole` with `text` behind it, and the byte offset of the `|` in `text`."""
    before, _, after = text.partition("|")
    document = program(whole + before + after, folder)
    return document, len((whole + before).encode())


def find(document: PythonDocument, text: str, skip: int = 0) -> int:
    """Byte offset of the `|` of a text in a document; the text without it must be there."""
    before, _, after = text.partition("|")
    at = -1
    for _ in range(skip + 1):
        at = document.source.index((before + after).encode(), at + 1)
    return at + len(before.encode())
