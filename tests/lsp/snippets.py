"""Snippets of pipeline programs with the findings that belong to them.

A file of `tests/lsp/rules/` holds snippets for one rule. `== title` begins one; a comment `# error: P001`
behind a line says that exactly these findings start there; lines without a comment have none. Before the
code may stand:

    !! prelude v3 | none     which imports go before it (default: v2)
    !! select P029           rules to run beside the defaults
    !! file src/train.py     a file that lies beside the program
    !! content t.py TEXT     the same with a content, lines parted by a backslash and n

After the code, `-- fixed` may begin the text that the fixes of the rule make of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from stepbridge_lsp.documents.python import PythonDocument
from stepbridge_lsp.documents.workspace import Workspace
from stepbridge_lsp.rules import Finding, Selection

RULES = Path(__file__).parent / "rules"

PRELUDES = {
    "none": "",
    "v2": """\
import json, os
from pathlib import Path
import sagemaker
from sagemaker import image_uris
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput, TransformInput, CreateModelInput
from sagemaker.model import Model
from sagemaker.processing import ProcessingInput, ProcessingOutput
from sagemaker.processing import FrameworkProcessor, Processor, ScriptProcessor
from sagemaker.pytorch import PyTorch
from sagemaker.pytorch.processing import PyTorchProcessor
from sagemaker.huggingface import HuggingFace
from sagemaker.sklearn.estimator import SKLearn
from sagemaker.sklearn.processing import SKLearnProcessor
from sagemaker.transformer import Transformer
from sagemaker.tuner import HyperparameterTuner, ContinuousParameter
from sagemaker.xgboost.estimator import XGBoost
from sagemaker.lambda_helper import Lambda
from sagemaker.network import NetworkConfig
from sagemaker.workflow.callback_step import CallbackStep, CallbackOutput, CallbackOutputTypeEnum
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import *
from sagemaker.workflow.execution_variables import ExecutionVariables
from sagemaker.workflow.fail_step import FailStep
from sagemaker.workflow.function_step import step
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.lambda_step import LambdaStep, LambdaOutput, LambdaOutputTypeEnum
from sagemaker.workflow.model_step import ModelStep
from sagemaker.workflow.parallelism_config import ParallelismConfiguration
from sagemaker.workflow.parameters import ParameterBoolean, ParameterFloat
from sagemaker.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import LocalPipelineSession, PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.retry import SageMakerJobExceptionTypeEnum, SageMakerJobStepRetryPolicy
from sagemaker.workflow.retry import StepExceptionTypeEnum, StepRetryPolicy
from sagemaker.workflow.selective_execution_config import SelectiveExecutionConfig
from sagemaker.workflow.step_collections import RegisterModel
from sagemaker.workflow.steps import CacheConfig, CreateModelStep, ProcessingStep, TrainingStep
from sagemaker.workflow.steps import TransformStep, TuningStep
from sagemaker.workflow.triggers import PipelineSchedule
session = PipelineSession()
role = sagemaker.get_execution_role()
image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/own:1"
""",
    "v3": """\
from sagemaker.core.helper.session_helper import get_execution_role
from sagemaker.core.processing import ScriptProcessor
from sagemaker.core.shapes import ProcessingInput, ProcessingOutput
from sagemaker.core.shapes import ProcessingS3Input, ProcessingS3Output
from sagemaker.core.workflow.functions import Join, JsonGet
from sagemaker.core.workflow.parameters import ParameterBoolean, ParameterFloat
from sagemaker.core.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.core.workflow.pipeline_context import PipelineSession
from sagemaker.core.workflow.properties import PropertyFile
from sagemaker.mlops.workflow.pipeline import Pipeline
from sagemaker.mlops.workflow.steps import CacheConfig, ProcessingStep, TrainingStep
from sagemaker.train import ModelTrainer
from sagemaker.train.configs import Compute, InputData, SourceCode
session = PipelineSession()
role = get_execution_role()
image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/own:1"
""",
}
_EXPECTED = re.compile(r"#\s*((?:(?:error|warning|information|hint): *[PSJ]\d+[ ,]*)+)")
_SINGLE = re.compile(r"(error|warning|information|hint): *([PSJ]\d+)")


@dataclass
class Snippet:
    rule: str
    title: str
    code: str
    prelude: str = "v2"
    select: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    contents: dict[str, str] = field(default_factory=dict)
    fixed: str | None = None
    expected: dict[int, list[tuple[str, str]]] = field(default_factory=dict)  # line -> (severity, code)

    @property
    def source(self) -> str:
        return PRELUDES[self.prelude] + self.code

    @property
    def first_line(self) -> int:
        return PRELUDES[self.prelude].count("\n")

    def document(self, folder: Path) -> PythonDocument:
        for name in self.files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.contents.get(name, "import argparse\n"))
        path = folder / "pipeline.py"
        return PythonDocument(f"file://{path}", self.source.encode(), Workspace((folder,)))

    @property
    def selection(self) -> Selection:
        severity = dict.fromkeys(self.select, "hint")
        return Selection(severity=severity)


def read(path: Path) -> list[Snippet]:
    snippets: list[Snippet] = []
    for part in re.split(r"^== ", path.read_text(), flags=re.M)[1:]:
        title, _, rest = part.partition("\n")
        snippet = Snippet(path.stem, title.strip(), "")
        code, _, fixed = rest.partition("\n-- fixed\n")
        snippet.fixed = fixed.rstrip("\n") + "\n" if fixed else None
        lines = code.rstrip("\n").split("\n")
        while lines and lines[0].startswith("!! "):
            word, _, value = lines.pop(0)[3:].partition(" ")
            if word == "prelude":
                snippet.prelude = value
            elif word == "select":
                snippet.select += tuple(value.split())
            elif word == "file":
                snippet.files += (value,)
            elif word == "content":
                name, _, text = value.partition(" ")
                snippet.files += (name,)
                snippet.contents[name] = text.replace("\\n", "\n") + "\n"
            else:
                raise ValueError(f"{path}: {word}")
        snippet.code = "\n".join(lines) + "\n"
        for number, line in enumerate(lines):
            if match := _EXPECTED.search(line):
                snippet.expected[number] = _SINGLE.findall(match[1])
        snippets.append(snippet)
    return snippets


def all_snippets() -> list[Snippet]:
    return [snippet for path in sorted(RULES.glob("*.txt")) for snippet in read(path)]


def located(
    document: PythonDocument, findings: list[Finding], first: int
) -> dict[int, list[tuple[str, str]]]:
    """Findings by line, as a snippet's comments write them."""
    found: dict[int, list[tuple[str, str]]] = {}
    for finding in findings:
        line = document.lines.line_of(finding.span.start) - first
        found.setdefault(line, []).append((str(finding.severity), finding.code))
    return found


def apply_fixes(source: bytes, findings: list[Finding]) -> bytes:
    """The first fix of each finding applied; edits that overlap an earlier one are left out."""
    edits = {
        (e.span.start, e.span.end, e.text) for f in findings for e in (f.fixes[0].edits if f.fixes else ())
    }
    done = len(source) + 1
    for start, end, text in sorted(edits, reverse=True):
        if end <= done:
            source = source[:start] + text.encode() + source[end:]
            done = start
    return source
