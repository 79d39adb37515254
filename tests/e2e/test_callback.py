"""A callback step, answered by the command and by the API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import Project, Run, in_processes
from tests.support.served import Served, ended, serving, steps

ROLE = "arn:aws:iam::123456789012:role/Role"
SAID = {"Get": "Steps.Approve.OutputParameters['decision']"}
DEFINITION = {
    "Version": "2020-12-01",
    "Steps": [
        {
            "Name": "Approve",
            "Type": "Callback",
            "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/approvals",
            "OutputParameters": [{"OutputName": "decision", "OutputType": "String"}],
            "Arguments": {"who": "me"},
        },
        {
            "Name": "Decide",
            "Type": "Condition",
            "Arguments": {
                "Conditions": [{"Type": "Equals", "LeftValue": SAID, "RightValue": "no"}],
                "IfSteps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "they said no"}}],
                "ElseSteps": [],
            },
        },
    ],
}


@pytest.fixture
def approval(tmp_path: Path) -> Project:
    (tmp_path / "approval.json").write_text(json.dumps(DEFINITION))
    return Project(tmp_path, in_processes())


async def holds(run: Run) -> None:
    await run.until(lambda e: e["event"] == "notice" and "waits for its callback" in e["message"])


@pytest.mark.parametrize(
    ("answer", "code", "status"),
    [
        (("-o", "decision=yes"), 0, {"Approve": "Succeeded", "Decide": "Succeeded", "Stop": "Skipped"}),
        (("-o", "decision=no"), 1, {"Approve": "Succeeded", "Decide": "Succeeded", "Stop": "Failed"}),
        (("--fail", "nobody was there"), 1, {"Approve": "Failed"}),
    ],
)
async def test_the_command_answers(approval, answer, code, status):
    async with approval.run(program="approval.json") as run:
        await holds(run)
        listed = (await approval.command("callback"))[1]
        assert listed.startswith(f"Approve of run {run.id} waits with the token ")
        assert (await approval.command("callback", "Approve", *answer))[0] == 0
        assert await run.end() == code
    assert run.statuses() == status
    assert (await approval.command("callback")) == (0, "", "")


async def test_a_wrong_answer_is_refused_and_the_step_waits_on(approval):
    async with approval.run(program="approval.json") as run:
        await holds(run)
        for words, wrong, says in (
            (("Aprove",), 1, 'No callback step Aprove waits\n  Did you mean "Approve"?'),
            (("Approve",), 1, "Approve needs its output decision\n  Add -o decision=VALUE"),
            (
                ("Approve", "-o", "decison=yes"),
                1,
                'Approve has no output decison\n  Did you mean "decision"?',
            ),
            (("Approve", "-o", "decision=x", "--fail", "y"), 2, "give -o or --fail"),
            (("Approve", "-o", "decision"), 2, "-o Name=value"),
        ):
            code, _, err = await approval.command("callback", *words)
            assert (code, says in err) == (wrong, True), err
        token = (await approval.command("callback"))[1].split()[-1]
        assert (await approval.command("callback", token, "-o", "decision=yes"))[0] == 0
        assert await run.end() == 0


async def test_nothing_waits(approval):
    code, _, err = await approval.command("callback", "Approve")
    assert code == 1
    assert "No callback step Approve waits\n  A step waits only while its run goes on." in err


async def test_the_api_answers(tmp_path):
    async with serving(tmp_path, *in_processes()) as served:
        await asyncio.to_thread(answer_by_the_api, served)


def answer_by_the_api(served: Served) -> None:
    sagemaker = served.client("sagemaker")
    sagemaker.create_pipeline(
        PipelineName="approval",
        PipelineDefinition=json.dumps(DEFINITION),
        RoleArn=ROLE,
        ClientRequestToken="0" * 32,
    )

    def start() -> tuple[str, str]:
        arn = sagemaker.start_pipeline_execution(PipelineName="approval")["PipelineExecutionArn"]
        while not (token := token_of(sagemaker, arn)):
            time.sleep(0.1)
        return arn, token

    arn, token = start()
    said = sagemaker.send_pipeline_execution_step_success(
        CallbackToken=token, OutputParameters=[{"Name": "decision", "Value": "yes"}]
    )
    assert said["PipelineExecutionArn"] == arn
    assert ended(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"
    arn, token = start()
    sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="no time")
    assert ended(sagemaker, arn)["FailureReason"].endswith("[Approve] no time")
    with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="No step waits with the callback token"):
        sagemaker.send_pipeline_execution_step_success(CallbackToken=token)


async def test_a_worker_that_polls_the_queue_answers(tmp_path):
    async with serving(tmp_path, *in_processes()) as served:
        await asyncio.to_thread(answer_by_the_queue, served)


def answer_by_the_queue(served: Served) -> None:
    """Its queue is made by the step: the worker knows nothing but the address."""
    sagemaker, sqs = served.client("sagemaker"), served.client("sqs")
    sagemaker.create_pipeline(
        PipelineName="approval",
        PipelineDefinition=json.dumps(DEFINITION),
        RoleArn=ROLE,
        ClientRequestToken="0" * 32,
    )
    arn = sagemaker.start_pipeline_execution(PipelineName="approval")["PipelineExecutionArn"]
    message = first_message(sqs, DEFINITION["Steps"][0]["SqsQueueUrl"])
    assert message == {
        "token": token_of(sagemaker, arn),
        "pipelineExecutionArn": arn,
        "arguments": {"who": "me"},
        "status": "Executing",
    }
    sagemaker.send_pipeline_execution_step_success(
        CallbackToken=message["token"], OutputParameters=[{"Name": "decision", "Value": "yes"}]
    )
    assert ended(sagemaker, arn)["PipelineExecutionStatus"] == "Succeeded"


def first_message(sqs: Any, url: str) -> dict[str, Any]:
    for _ in range(600):
        with contextlib.suppress(sqs.exceptions.QueueDoesNotExist):
            for message in sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []):
                return dict(json.loads(message["Body"]))
        time.sleep(0.1)
    raise AssertionError(f"no message on {url}")


def token_of(sagemaker: Any, arn: str) -> str:
    """Empty while the step has not started."""
    found = steps(sagemaker, arn).get("Approve", {}).get("Metadata", {}).get("Callback", {})
    return str(found.get("CallbackToken", ""))
