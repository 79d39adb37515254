"""What a step's key is made of: each change of what the result depends on makes another key."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from stepbridge.definition.document import parse
from stepbridge.execution.cache import StepCache
from stepbridge.execution.journal import ExecutionRecord

from tests.support.fake_engine import FakeContainer

from .conftest import IMAGE, Lab, definition, processing

TRANSFORM = {
    "ModelName": "pipelines-1-Scores-x",
    "TransformInput": {
        "DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/records", "S3DataType": "S3Prefix"}},
        "ContentType": "text/csv",
    },
    "TransformOutput": {"S3OutputPath": "s3://bucket/answers/1"},
    "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
}
MODEL = {
    "ModelName": "pipelines-1-Scores-x",
    "ModelArn": "arn:aws:sagemaker:us-east-1:123456789012:model/pipelines-1-scores-x",
    "CreationTime": 1.0,
    "PrimaryContainer": {
        "Image": IMAGE,
        "ModelDataUrl": "s3://bucket/model.tar.gz",
        "Environment": {"SAGEMAKER_SUBMIT_DIRECTORY": "s3://bucket/code/sourcedir.tar.gz", "LEVEL": "1"},
    },
}
FUNCTION = {
    "FunctionName": "decide",
    "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:decide",
    "Runtime": "python3.11",
    "Handler": "handler.handler",
    "Timeout": 3,
    "LastModified": "2025-01-01",
    "Environment": {"Variables": {"STAGE": "dev"}},
}
OUTPUTS = [{"OutputName": "steps", "OutputType": "Integer"}]
LAMBDA_IMAGE = "public.ecr.aws/lambda/python:3.11"
TRAINING = {
    "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
    "OutputDataConfig": {"S3OutputPath": "s3://bucket/models/1"},
    "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30},
    "HyperParameters": {"sagemaker_submit_directory": '"s3://bucket/code/sourcedir.tar.gz"', "rate": "1"},
    "InputDataConfig": [
        {
            "ChannelName": "code",
            "DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/code", "S3DataType": "S3Prefix"}},
        }
    ],
}
STEPS: dict[str, dict[str, Any]] = {
    "Training": {"Name": "Work", "Type": "Training", "Arguments": TRAINING},
    "Transform": {"Name": "Work", "Type": "Transform", "Arguments": TRANSFORM},
    "Lambda": {
        "Name": "Work",
        "Type": "Lambda",
        "FunctionArn": FUNCTION["FunctionArn"],
        "OutputParameters": OUTPUTS,
        "Arguments": {"distance": 6},
    },
}


class Case:
    """A workspace in which one step of a kind could run; `key()` is what the cache makes of it now."""

    def __init__(self, lab: Lab, kind: str) -> None:
        self.lab = lab
        self.step = copy.deepcopy(STEPS[kind])
        self.model = copy.deepcopy(MODEL)
        self.function = copy.deepcopy(FUNCTION)
        self.pipeline = "lab"
        for key in ("records/a.csv", "model.tar.gz", "code/sourcedir.tar.gz", "code/train.py"):
            self.put(key, "1")
        lab.store.put(f"s3://functions/{FUNCTION['FunctionArn']}.zip", b"1")

    def put(self, key: str, content: str) -> None:
        self.lab.store.put(f"s3://bucket/{key}", content.encode())

    async def key(self) -> str | None:
        lab = self.lab
        lab.registry.models = {
            self.step["Arguments"].get("ModelName", ""): self.model,
            FUNCTION["FunctionArn"]: self.function,
        }
        step = parse(definition(self.step)).step("Work")
        cache = StepCache(lab.journal, lab.store, lab.code, lab._image_digest, lab.registry)
        record = ExecutionRecord(
            **dict.fromkeys(("run", "arn", "pipeline_arn", "role_arn", "definition_text"), ""),
            **dict.fromkeys(("display_name", "description", "failure", "client_token"), ""),
            pipeline=self.pipeline,
            parameters={},
            parallelism=None,
            status="Executing",  # type: ignore[arg-type]
            started=0.0,
            ended=None,
            program=None,
            selective=None,
            owner=0,
        )
        return await cache.key(step, step.arguments, record)


def arguments(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = case.step["Arguments"]
    return found


def container(case: Case) -> dict[str, Any]:
    found: dict[str, Any] = case.model["PrimaryContainer"]  # type: ignore[assignment]
    return found


def scripts(case: Case) -> None:
    case.lab.code.scripts["s3://bucket/model.tar.gz"] = [("code/inference.py", "now")]


def code(case: Case, uri: str) -> None:
    case.lab.code.digests[uri] = "now"


Change = Callable[[Case], Any]
CHANGES: list[tuple[str, str, Change]] = [
    ("Training", "an argument", lambda c: arguments(c)["HyperParameters"].update(rate="2")),
    ("Training", "its code", lambda c: code(c, "s3://bucket/code/sourcedir.tar.gz")),
    ("Training", "code below a channel's prefix", lambda c: code(c, "s3://bucket/code/train.py")),
    ("Training", "a new object of a channel", lambda c: c.put("code/more", "1")),
    ("Training", "its image", lambda c: c.lab.images.update({IMAGE: "sha256:rebuilt"})),
    ("Training", "the pipeline", lambda c: setattr(c, "pipeline", "other")),
    ("Transform", "its input", lambda c: c.put("records/a.csv", "2")),
    ("Transform", "the artifacts", lambda c: c.put("model.tar.gz", "2")),
    ("Transform", "a script in the artifacts", scripts),
    ("Transform", "its source folder", lambda c: code(c, "s3://bucket/code/sourcedir.tar.gz")),
    ("Transform", "the model's environment", lambda c: container(c)["Environment"].update(LEVEL="2")),
    ("Transform", "the model's image", lambda c: c.lab.images.update({IMAGE: "sha256:rebuilt"})),
    ("Transform", "other artifacts", lambda c: container(c).update(ModelDataUrl="s3://bucket/records")),
    ("Transform", "an argument", lambda c: arguments(c)["TransformInput"].update(SplitType="Line")),
    ("Lambda", "the event", lambda c: arguments(c).update(distance=7)),
    ("Lambda", "the code", lambda c: c.lab.store.put(f"s3://functions/{FUNCTION['FunctionArn']}.zip", b"2")),
    ("Lambda", "its files", lambda c: code(c, f"s3://functions/{FUNCTION['FunctionArn']}.zip")),
    ("Lambda", "the environment", lambda c: c.function.update(Environment={"Variables": {"STAGE": "x"}})),
    ("Lambda", "the handler", lambda c: c.function.update(Handler="handler.other")),
    ("Lambda", "the runtime", lambda c: c.function.update(Runtime="python3.12")),
    ("Lambda", "the image", lambda c: c.lab.images.update({LAMBDA_IMAGE: "sha256:rebuilt"})),
    ("Lambda", "its outputs", lambda c: c.step.update(OutputParameters=[])),
]
NAMES_ONLY: list[tuple[str, str, Change]] = [
    (
        "Training",
        "where it writes",
        lambda c: arguments(c)["OutputDataConfig"].update(S3OutputPath="s3://b/2"),
    ),
    (
        "Transform",
        "where it writes",
        lambda c: arguments(c)["TransformOutput"].update(S3OutputPath="s3://b/2"),
    ),
    ("Transform", "the model's name", lambda c: arguments(c).update(ModelName="pipelines-2-Scores-y")),
    ("Transform", "when it was made", lambda c: c.model.update(CreationTime=2.0, ModelArn="arn:2")),
    ("Lambda", "when it was made", lambda c: c.function.update(LastModified="2026-01-01")),
]
UNKNOWN: list[tuple[str, str, Change]] = [
    ("Training", "an image that is not here", lambda c: c.lab.images.update({IMAGE: None})),
    (
        "Training",
        "a file outside of the store",
        lambda c: arguments(c)["HyperParameters"].update(sagemaker_submit_directory='"file:///code"'),
    ),
    (
        "Training",
        "a manifest",
        lambda c: arguments(c)["InputDataConfig"][0]["DataSource"]["S3DataSource"].update(
            S3DataType="ManifestFile"
        ),
    ),
    ("Transform", "a model of several containers", lambda c: c.model.update(PrimaryContainer=None)),
    ("Lambda", "a function of another language", lambda c: c.function.update(Runtime="nodejs20.x")),
]


def cases(found: list[tuple[str, str, Change]]) -> Any:
    return pytest.mark.parametrize(
        ("kind", "change"), [pytest.param(kind, change, id=f"{kind}: {what}") for kind, what, change in found]
    )


async def keys(lab: Any, kind: str, change: Change) -> tuple[str | None, str | None]:
    case = Case(lab(), kind)
    before = await case.key()
    assert before is not None
    assert before == await case.key()
    change(case)
    return before, await case.key()


@cases(CHANGES)
async def test_another_result_has_another_key(lab, kind, change):
    before, after = await keys(lab, kind, change)
    assert after not in (None, before)


@cases(NAMES_ONLY)
async def test_names_of_this_execution_are_no_part_of_it(lab, kind, change):
    before, after = await keys(lab, kind, change)
    assert after == before


@cases(UNKNOWN)
async def test_what_is_not_known_has_no_key(lab, kind, change):
    _, after = await keys(lab, kind, change)
    assert after is None


async def test_an_edit_while_a_step_runs_is_not_taken_for_what_it_ran_with(lab):
    it: Lab

    async def edited_meanwhile(container: FakeContainer) -> int:
        it.code.digests["s3://bucket/in/x.py"] = "edited"
        container.path("/opt/ml/processing/out/result.txt").write_text("of the old code")
        return 0

    it = lab(A=edited_meanwhile)
    it.store.put("s3://bucket/in/x.py", b"print()")
    it.code.digests["s3://bucket/in/x.py"] = "old"
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "T1H"}}
    text = definition(processing("A", reads={"code": "s3://bucket/in/x.py"}, **cached))
    starts = []
    for _ in range(3):
        record = await it.run(text)
        starts.append(len(it.engine.started))
        assert it.statuses(record) == {"A": "Succeeded"}
    assert starts == [1, 2, 2]  # the second run's result is good for the third


@pytest.mark.parametrize(
    ("config", "wanted", "used"),
    [
        (None, None, False),
        (None, True, False),  # a function is there for its effects
        ({"Enabled": True}, None, True),
        ({"Enabled": True}, False, False),
        ({"Enabled": True, "ExpireAfter": "PT1H"}, True, True),
    ],
)
async def test_a_function_is_not_called_again_only_where_its_step_says_so(lab, config, wanted, used):
    from stepbridge.events import StepFinished
    from stepbridge.execution.execution import RunOptions

    async def answer(container: FakeContainer) -> int:
        container.path("/opt/stepbridge-call/result.json").write_text(json.dumps({"steps": 2}))
        return 0

    it = lab(Work=answer)
    case = Case(it, "Lambda")
    await case.key()
    it.store.put(f"s3://functions/{FUNCTION['FunctionArn']}.zip", b"PK\x05\x06" + bytes(18))
    step = {**case.step, **({"CacheConfig": config} if config else {})}
    for _ in range(2):
        await asyncio.wait_for(it.run(definition(step), options=RunOptions(use_cache=wanted)), 10)
    finished = [event for event in it.events if isinstance(event, StepFinished)]
    assert [event.status for event in finished] == ["Succeeded"] * 2
    assert [event.cached for event in finished] == [False, used]
