"""What an edit costs: from the change of a text to its findings, without server and protocol.

    python benchmarks/lsp_edit.py [--json]

Programs of 2,000 lines (top-level steps, and one big function), a definition of 50 steps and one of 21,000
lines. Each edit types one character somewhere, and another takes it away. CPU time of this process,
milliseconds.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "bridge"), str(ROOT / "lsp")]

from stepbridge_lsp.collector import calm, sweep  # noqa: E402
from stepbridge_lsp.documents import AnyDocument, DefinitionDocument, PythonDocument, Workspace  # noqa: E402
from stepbridge_lsp.rules import diagnose  # noqa: E402

HEAD = """\
import json
import logging
import os

import sagemaker
from sagemaker.estimator import Estimator
from sagemaker.inputs import TrainingInput
from sagemaker.processing import ProcessingInput, ProcessingOutput, ScriptProcessor
from sagemaker.workflow.condition_step import ConditionStep
from sagemaker.workflow.conditions import ConditionGreaterThan
from sagemaker.workflow.functions import Join, JsonGet
from sagemaker.workflow.parameters import ParameterInteger, ParameterString
from sagemaker.workflow.pipeline import Pipeline
from sagemaker.workflow.pipeline_context import PipelineSession
from sagemaker.workflow.properties import PropertyFile
from sagemaker.workflow.steps import CacheConfig, ProcessingStep, TrainingStep

logger = logging.getLogger(__name__)
session = PipelineSession()
role = sagemaker.get_execution_role()
image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/own:1"
bucket = session.default_bucket()
cache = CacheConfig(enable_caching=True, expire_after="30d")
steps = []
"""

BLOCK = """\

# -- stage {n}
count_{n} = ParameterInteger(name="Count{n}", default_value=1)
kind_{n} = ParameterString(name="Kind{n}", default_value="ml.m5.large")
processor_{n} = ScriptProcessor(
    image_uri=image,
    command=["python3"],
    role=role,
    instance_count=count_{n},
    instance_type=kind_{n},
    base_job_name=f"stage-{n}",
    sagemaker_session=session,
)
report_{n} = PropertyFile(name="Report{n}", output_name="report", path="report.json")
prepare_{n} = ProcessingStep(
    name="Prepare{n}",
    step_args=processor_{n}.run(
        code="s3://code/prepare.py",
        inputs=[ProcessingInput(source=f"s3://{{bucket}}/raw/{n}", destination="/opt/ml/processing/input")],
        outputs=[
            ProcessingOutput(output_name="train", source="/opt/ml/processing/train"),
            ProcessingOutput(output_name="report", source="/opt/ml/processing/report"),
        ],
        arguments=["--stage", "{n}", "--where", Join(on="/", values=["s3:/", bucket, "{n}"])],
    ),
    property_files=[report_{n}],
    cache_config=cache,
)
estimator_{n} = Estimator(
    image_uri=image,
    role=role,
    instance_count=1,
    instance_type=kind_{n},
    output_path=os.path.join("s3://models", "stage", "{n}"),
    hyperparameters={{"rounds": 100, "depth": 6, "stage": "{n}"}},
    sagemaker_session=session,
)
train_{n} = TrainingStep(
    name="Train{n}",
    step_args=estimator_{n}.fit(
        {{
            "train": TrainingInput(
                s3_data=prepare_{n}.properties.ProcessingOutputConfig.Outputs["train"].S3Output.S3Uri,
                content_type="text/csv",
            )
        }}
    ),
)
enough_{n} = ConditionStep(
    name="Enough{n}",
    conditions=[
        ConditionGreaterThan(
            left=JsonGet(step_name=prepare_{n}.name, property_file=report_{n}, json_path="rows"), right=10
        )
    ],
    if_steps=[train_{n}],
    else_steps=[],
)
steps += [prepare_{n}, enough_{n}]
"""


FILLER = '''\


def helper_{n}(frame, columns=None, threshold=0.5):
    """Something that a project's program does beside its pipeline.

    Args:
        frame: a table of numbers.
        columns: which of them to look at.
        threshold: what is too much.
    """
    result = {{}}
    for index, column in enumerate(columns or sorted(frame.columns)):
        values = [value for value in frame[column] if value is not None]
        if not values or len(values) < 10:
            logger.warning("column %s of stage {n} is too short: %d", column, len(values))
            continue
        share = sum(value > threshold for value in values) / len(values)
        result[column] = {{"share": round(share, 3), "index": index, "label": f"{{column}}-{n}"}}
    try:
        text = json.dumps(result, indent=2, sort_keys=True)
    except TypeError as error:
        raise ValueError(f"stage {n} cannot be written: {{error}}") from error
    return text, result
'''


def top_level(lines: int, steps: int = 51) -> str:
    """Stages of three steps one below the other, and helper functions up to that many lines."""
    stages = steps // 3
    text = HEAD + "".join(BLOCK.format(n=n) for n in range(stages))
    names = "".join(f"    count_{n},\n    kind_{n},\n" for n in range(stages))
    end = f"pipeline = Pipeline(\n    name='big',\n    parameters=[\n{names}    ],\n    steps=steps,\n)\n"
    missing = max(0, lines - text.count("\n") - end.count("\n"))
    helpers = "".join(FILLER.format(n=n) for n in range(missing // FILLER.count("\n")))
    return HEAD + helpers + text[len(HEAD) :] + end


def one_function(lines: int) -> str:
    """The same within one function."""
    body = top_level(lines)
    head, rest = body[: len(HEAD)], body[len(HEAD) :]
    inner = "".join(f"    {line}\n" if line else "\n" for line in rest.split("\n"))
    return f"{head}\n\ndef get_pipeline(role=None):\n    steps = []\n{inner}    return pipeline\n"


def definition(steps: int) -> str:
    """A definition of that many steps."""
    made = []
    for n in range(steps):
        arguments = {
            "AlgorithmSpecification": {"TrainingImage": "123.dkr.ecr.x/y:1", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": f"s3://bucket/out/{n}"},
            "ResourceConfig": {
                "InstanceCount": {"Get": "Parameters.Count"},
                "InstanceType": "ml.m5.xlarge",
                "VolumeSizeInGB": 30,
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "RoleArn": "arn:aws:iam::123456789012:role/pipelines",
            "HyperParameters": {f"p{i}": str(i) for i in range(20)},
            "Environment": {f"E{i}": str(i) for i in range(5)},
            "InputDataConfig": [
                {
                    "ChannelName": "train",
                    "DataSource": {
                        "S3DataSource": {
                            "S3DataType": "S3Prefix",
                            "S3Uri": {"Get": f"Steps.Train{n - 1}.ModelArtifacts.S3ModelArtifacts"}
                            if n
                            else "s3://bucket/data",
                        }
                    },
                }
            ],
        }
        made.append({"Name": f"Train{n}", "Type": "Training", "Arguments": arguments})
    parameters = [{"Name": "Count", "Type": "Integer", "DefaultValue": 1}]
    whole = {"Version": "2020-12-01", "Metadata": {}, "Parameters": parameters, "Steps": made}
    return json.dumps(whole, indent=2)


def measure(document: AnyDocument, *, rounds: int = 30) -> list[float]:
    """CPU milliseconds of single edits, each followed by findings."""
    chance = random.Random(7)
    diagnose(document)
    places = [i for i, byte in enumerate(document.source) if chr(byte).isalnum()]
    times: list[float] = []
    for _ in range(rounds):
        place = chance.choice(places)
        for text, length in (("x", 0), ("", 1)):
            start, end = document.lines.position(place), document.lines.position(place + length)
            begin = time.process_time()
            document.edit(start, end, text)
            diagnose(document)
            times.append((time.process_time() - begin) * 1000)
            sweep()  # as the server does when it has answered
    return sorted(times)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    workspace = Workspace((Path("/nowhere"),))
    documents: dict[str, AnyDocument] = {
        "program, 2,000 lines": PythonDocument("/nowhere/a.py", top_level(2000).encode(), workspace),
        "program, 2,000 lines, 100 steps": PythonDocument(
            "/nowhere/e.py", top_level(2000, 100).encode(), workspace
        ),
        "program, 2,000 lines, one function": PythonDocument(
            "/nowhere/b.py", one_function(2000).encode(), workspace
        ),
        "definition, 50 steps": DefinitionDocument("/nowhere/c.json", definition(50).encode()),
        "definition, 21,000 lines": DefinitionDocument("/nowhere/d.json", definition(330).encode()),
    }
    results = {}
    for document in documents.values():
        diagnose(document)  # modules and catalogs are loaded
    calm()  # as the server does
    for name, document in documents.items():
        begin = time.process_time()
        diagnose(document)
        first = (time.process_time() - begin) * 1000
        times = measure(document)
        results[name] = {
            "lines": document.source.count(b"\n"),
            "open_ms": round(first, 1),
            "p50_ms": round(times[len(times) // 2], 1),
            "p95_ms": round(times[int(len(times) * 0.95)], 1),
        }
    if options.json:
        print(json.dumps(results, indent=2))
        return
    print(f"{'':38}{'lines':>8}{'open':>9}{'p50':>9}{'p95':>9}   (CPU ms)")
    for name, row in results.items():
        print(f"{name:38}{row['lines']:>8}{row['open_ms']:>9}{row['p50_ms']:>9}{row['p95_ms']:>9}")


if __name__ == "__main__":
    main()
