"""Callback steps: the run waits for an answer, which becomes the step's outputs or its failure."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from stepbridge.events import Notice, RunStatus

from .conftest import definition


def callback(**outputs: str) -> dict[str, Any]:
    return {
        "Name": "Approve",
        "Type": "Callback",
        "SqsQueueUrl": "https://sqs.us-east-1.amazonaws.com/123456789012/approvals",
        "OutputParameters": [{"OutputName": n, "OutputType": kind} for n, kind in outputs.items()],
        "Arguments": {"who": "me"},
    }


def fail_above(limit: int) -> dict[str, Any]:
    """A condition on the callback's number, with a Fail step that tells it."""
    number = {"Get": "Steps.Approve.OutputParameters['number']"}
    message = {"Std:Join": {"On": " ", "Values": ["got", number]}}
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": message}}
    test = {"Type": "GreaterThan", "LeftValue": number, "RightValue": limit}
    return {
        "Name": "Check",
        "Type": "Condition",
        "Arguments": {"Conditions": [test], "IfSteps": [stop], "ElseSteps": []},
    }


async def waiting(it: Any) -> dict[str, Any]:
    while not (found := it.executions.waiting_callbacks()):
        await asyncio.sleep(0.01)
    (one,) = found
    return dict(one)


@pytest.mark.parametrize(("answer", "status"), [("9", RunStatus.SUCCEEDED), ("11", RunStatus.FAILED)])
async def test_outputs_have_the_types_that_the_step_declares(lab, answer, status):
    it = lab()
    record = it.start(definition(callback(number="Integer"), fail_above(10)))
    one = await waiting(it)
    assert (one["run"], one["step"], one["outputs"]) == (record.run, "Approve", {"number": "Integer"})
    (shown,) = it.executions.steps(record.arn)
    assert shown["Metadata"]["Callback"]["CallbackToken"] == one["token"]
    (told,) = [event.message for event in it.events if isinstance(event, Notice)]
    assert told == "waits for its callback: stepbridge callback Approve -o number=..."
    assert it.executions.step_succeeded(one["token"], {"number": answer}) == record.arn
    record = await it.executions.finished(record.run)
    assert record.status is status
    shown = it.executions.steps(record.arn)[0]["Metadata"]["Callback"]
    assert shown["OutputParameters"] == [{"Name": "number", "Value": answer}]
    assert it.executions.waiting_callbacks() == []


@pytest.mark.parametrize(
    ("kind", "text"), [("Integer", "many"), ("Integer", "1.5"), ("Float", ""), ("Boolean", "maybe")]
)
async def test_an_answer_of_another_type_fails_the_step(lab, kind, text):
    it = lab()
    record = it.start(definition(callback(number=kind)))
    it.executions.step_succeeded((await waiting(it))["token"], {"number": text})
    record = await it.executions.finished(record.run)
    assert record.failure.endswith(f"output number of the callback is no {kind}: {text}")


async def test_failure_is_told_with_its_reason(lab):
    it = lab()
    record = it.start(definition(callback()))
    assert it.executions.step_failed((await waiting(it))["token"], "not today") == record.arn
    record = await it.executions.finished(record.run)
    assert (record.status, record.failure.endswith("[Approve] not today")) == (RunStatus.FAILED, True)
    assert it.executions.step_failed("elsewhere0", "x") is None


async def test_a_run_that_is_stopped_waits_no_longer(lab):
    it = lab()
    record = it.start(definition(callback()))
    token = (await waiting(it))["token"]
    it.executions.stop(record.arn)
    record = await it.executions.finished(record.run)
    assert record.status is RunStatus.STOPPED
    assert it.executions.step_succeeded(token, {}) is None
    assert [message["status"] for _, message in it.queues.messages] == ["Executing", "Stopping"]


async def test_its_message_is_put_on_the_queue(lab):
    """A worker may answer as soon as the message is there."""
    it = lab()
    put = it.queues.send

    def answered(url: str, body: str, group: str) -> None:
        put(url, body, group)
        assert group == record.run
        assert it.executions.step_succeeded(json.loads(body)["token"], {"who": "x"}) == record.arn

    it.queues.send = answered
    step = {**callback(who="String"), "SqsQueueUrl": {"Get": "Parameters.Queue"}}
    step["Arguments"] = {"who": {"Get": "Parameters.Who"}, "deep": {"number": 1.5}}
    parameters = [
        {"Name": "Queue", "Type": "String", "DefaultValue": "https://sqs.eu-west-1.amazonaws.com/1/q"},
        {"Name": "Who", "Type": "String", "DefaultValue": "me"},
    ]
    record = it.start(definition(step, parameters=parameters))
    record = await it.executions.finished(record.run)
    assert record.status is RunStatus.SUCCEEDED
    shown = it.executions.steps(record.arn)[0]["Metadata"]["Callback"]
    assert shown["SqsQueueUrl"] == "https://sqs.eu-west-1.amazonaws.com/1/q"
    ((url, message),) = it.queues.messages
    assert url == shown["SqsQueueUrl"]
    assert message == {
        "token": shown["CallbackToken"],
        "pipelineExecutionArn": record.arn,
        "arguments": {"who": "me", "deep": {"number": 1.5}},
        "status": "Executing",
    }


async def test_an_address_that_is_no_queues_fails_the_step(lab):
    it = lab()
    record = it.start(definition({**callback(), "SqsQueueUrl": "approvals"}))
    record = await it.executions.finished(record.run)
    assert record.failure.endswith("ClientError: approvals is no address of an SQS queue. Mend it.")
    assert it.executions.waiting_callbacks() == []
