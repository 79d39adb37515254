"""Scheduling: what runs when, what follows from a failure, a branch, a stop."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from stepbridge.errors import DefinitionError, ParameterError, StepBridgeError
from stepbridge.events import RunStatus, StepFinished, StepJob, StepLog, StepStarted
from stepbridge.execution.execution import RunOptions
from stepbridge.execution.executions import Overrides

from tests.support.fake_engine import FakeContainer

from .conftest import definition, output_of, processing


async def succeed(container: FakeContainer) -> int:
    container.path("/opt/ml/processing/out/result.txt").write_text("fine")
    return 0


async def fail(container: FakeContainer) -> int:
    for line in (
        "Traceback (most recent call last):",
        '  File "/code/step.py", line 7, in <module>',
        "KeyError: 'x'",
    ):
        container.say(line, "stderr")
    return 1


async def hang(container: FakeContainer) -> int:
    await asyncio.Event().wait()
    return 0


def writes(value: Any):
    async def script(container: FakeContainer) -> int:
        container.path("/opt/ml/processing/out/report.json").write_text(json.dumps(value))
        return 0

    return script


async def test_a_host_that_fails_ends_the_others(lab):
    async def second_fails(container: FakeContainer) -> int:
        if container.spec.hostname == "algo-2":
            container.path("/opt/ml/output/failure").write_text("the peer is gone")
            return 3
        return await hang(container)

    step = processing("Work")
    step["Arguments"]["ProcessingResources"]["ClusterConfig"]["InstanceCount"] = 2
    it = lab(Work=second_fails)
    record = await asyncio.wait_for(it.run(definition(step)), 10)
    assert record.failure.endswith("the peer is gone, exit code: 3 on algo-2")
    assert it.engine.networks == set()


async def test_a_step_sees_the_output_of_the_one_before(lab):
    async def read(container: FakeContainer) -> int:
        container.say(container.path("/opt/ml/processing/data/result.txt").read_text())
        return 0

    it = lab(First=succeed, Second=read)
    record = await it.run(
        definition(processing("Second", reads={"data": output_of("First")}), processing("First"))
    )
    assert record.status is RunStatus.SUCCEEDED
    assert [e.line for e in it.events if isinstance(e, StepLog)] == ["fine"]
    assert it.store.path("s3://bucket/First/result.txt").read_text() == "fine"
    assert all(container.removed for container in it.engine.started)
    assert [e.engine for e in it.events if isinstance(e, StepJob)] == [it.engine.name] * 2


async def test_independent_steps_run_at_the_same_time(lab):
    meet = asyncio.Barrier(2)

    async def both(container: FakeContainer) -> int:
        await asyncio.wait_for(meet.wait(), 5)
        return 0

    it = lab(A=both, B=both)
    record = await it.run(definition(processing("A"), processing("B")))
    assert record.status is RunStatus.SUCCEEDED


async def test_the_limit_of_the_run_holds(lab):
    running, most = 0, 0

    async def count(container: FakeContainer) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return 0

    it = lab(A=count, B=count, C=count)
    await it.run(definition(*(processing(name) for name in "ABC")), options=RunOptions(parallelism=1))
    assert most == 1


async def test_a_failure_says_what_the_script_said_and_starts_nothing_more(lab):
    it = lab(A=fail, B=succeed)
    record = await it.run(definition(processing("A"), processing("B", DependsOn=["A"])))
    assert record.status is RunStatus.FAILED
    assert it.statuses(record) == {"A": "Failed", "B": "Waiting"}
    assert "KeyError: 'x' (step.py:7), exit code: 1" in record.failure
    assert [step["StepName"] for step in it.executions.steps(record.arn)] == ["A"]


@pytest.mark.parametrize(("value", "taken", "left"), [(0.9, "Good", "Bad"), (0.1, "Bad", "Good")])
async def test_a_condition_takes_one_branch(lab, value, taken, left):
    condition = {
        "Name": "Check",
        "Type": "Condition",
        "Arguments": {
            "Conditions": [
                {
                    "Type": "GreaterThan",
                    "LeftValue": {
                        "Std:JsonGet": {
                            "PropertyFile": {"Get": "Steps.Eval.PropertyFiles.R"},
                            "Path": "score",
                        }
                    },
                    "RightValue": 0.5,
                }
            ],
            "IfSteps": [processing("Good")],
            "ElseSteps": [processing("Bad")],
        },
    }
    files = [{"PropertyFileName": "R", "OutputName": "out", "FilePath": "report.json"}]
    it = lab(Eval=writes({"score": value}), Good=succeed, Bad=succeed)
    record = await it.run(definition(condition, processing("Eval", PropertyFiles=files)))
    assert record.status is RunStatus.SUCCEEDED
    statuses = it.statuses(record)
    assert (statuses[taken], statuses[left]) == ("Succeeded", "Skipped")
    shown = {step["StepName"]: step for step in it.executions.steps(record.arn)}
    assert left not in shown
    assert shown["Check"]["Metadata"]["Condition"]["Outcome"] == ("True" if value > 0.5 else "False")


async def test_a_fail_step_ends_the_run_with_its_message(lab):
    message = {"Std:Join": {"On": " ", "Values": ["too low:", {"Get": "Parameters.Limit"}]}}
    stop = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": message}}
    it = lab()
    record = await it.run(
        definition(stop, parameters=[{"Name": "Limit", "Type": "Float", "DefaultValue": 0.5}]),
        {"Limit": "0.7"},
    )
    assert record.status is RunStatus.FAILED
    assert "too low: 0.7" in record.failure


async def test_stop_ends_what_runs(lab):
    it = lab(A=hang)
    record = it.start(definition(processing("A"), processing("B", DependsOn=["A"])))
    while not it.engine.started:
        await asyncio.sleep(0)
    it.executions.stop(record.arn, 0.0)
    record = await it.executions.finished(record.run)
    assert record.status is RunStatus.STOPPED
    assert it.statuses(record) == {"A": "Stopped", "B": "Waiting"}


async def test_a_job_that_takes_too_long_is_ended(lab):
    step = processing("A")
    step["Arguments"]["StoppingCondition"] = {"MaxRuntimeInSeconds": 1}
    it = lab(A=hang)
    record = await it.run(definition(step))
    assert record.status is RunStatus.FAILED
    assert "time limit of 1 seconds" in record.failure


async def test_parameters_are_checked_before_anything_starts(lab):
    it = lab()
    text = definition(processing("A"), parameters=[{"Name": "Epochs", "Type": "Integer", "DefaultValue": 1}])
    with pytest.raises(ParameterError, match="Epochs"):
        it.start(text, {"Epoch": "2"})
    with pytest.raises(ParameterError):
        it.start(text, {"Epochs": "two"})
    assert it.executions.executions("lab") == []


async def test_a_cycle_is_refused_when_the_pipeline_is_created(lab):
    it = lab()
    with pytest.raises(DefinitionError, match="circle: A -> B -> A"):
        it.executions.create_pipeline(
            "lab", definition(processing("A", DependsOn=["B"]), processing("B", DependsOn=["A"]))
        )


async def test_retry_policies_are_followed(lab):
    tries = 0

    async def third_time(container: FakeContainer) -> int:
        nonlocal tries
        tries += 1
        return 0 if tries == 3 else 1

    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 0, "MaxAttempts": 2}
    it = lab(A=third_time)
    record = await it.run(definition(processing("A", RetryPolicies=[policy])))
    assert record.status is RunStatus.SUCCEEDED
    assert [e.attempt for e in it.events if isinstance(e, StepStarted)] == [1, 2, 3]


async def test_retry_of_a_failed_execution_runs_only_what_did_not_succeed(lab):
    it = lab(A=succeed, B=fail)
    text = definition(processing("A"), processing("B", reads={"data": output_of("A")}))
    record = await it.run(text)
    it.engine.scripts["B"] = succeed
    again = await it.executions.finished(it.executions.retry(record.arn).run)
    assert again.status is RunStatus.SUCCEEDED
    assert [c.spec.labels["stepbridge.step"] for c in it.engine.started] == ["A", "B", "B"]


async def test_a_running_step_restarts_in_place(lab):
    async def first_hangs(container: FakeContainer) -> int:
        return await (hang if len(it.engine.started) == 1 else succeed)(container)

    it = lab(A=first_hangs)
    record = it.start(definition(processing("A")))
    while not it.engine.started or not it.jobs.running[(record.run, "A")].containers:
        await asyncio.sleep(0)
    await it.executions.live[record.run].restart_step("A")
    record = await it.executions.finished(record.run)
    assert record.status is RunStatus.SUCCEEDED
    assert len(it.engine.started) == 2


async def test_results_are_used_again_only_while_nothing_changed(lab):
    it = lab(A=succeed)
    text = definition(processing("A", reads={"data": "s3://bucket/in"}))
    it.store.put("s3://bucket/in/x", b"1")
    always = RunOptions(use_cache=True)
    await it.run(text)
    second = await it.run(text, options=always)
    assert [e.cached for e in it.events if isinstance(e, StepFinished)] == [False, True]
    assert it.executions.steps(second.arn)[0]["CacheHitResult"]
    it.store.put("s3://bucket/in/x", b"2")
    await it.run(text, options=always)
    it.store.put("s3://bucket/A/result.txt", b"spoilt")
    await it.run(text, options=always)
    assert [e.cached for e in it.events if isinstance(e, StepFinished)] == [False, True, False, False]


async def test_credentials_are_not_written_to_disk(lab, tmp_path):
    it = lab(A=succeed)
    record = await it.run(definition(processing("A")))
    spec = (tmp_path / "runs" / record.run / "A" / "spec.json").read_text()
    assert "AWS_SECRET_ACCESS_KEY" in spec
    assert "hidden" not in spec


def emr(name: str) -> dict[str, Any]:
    step_config = {"HadoopJarStep": {"Jar": "s3://bucket/job.jar", "Args": []}}
    return {
        "Name": name,
        "Type": "EMR",
        "Arguments": {
            "ClusterId": "j-1",
            "StepConfig": {"Name": name, "ActionOnFailure": "CONTINUE", **step_config},
        },
    }


async def test_steps_that_cannot_run_here_are_all_named_before_anything_runs(lab):
    it = lab(A=succeed)
    with pytest.raises(
        StepBridgeError, match=r"cannot run on this machine: Spark \(EMR\), Hive \(EMR\)"
    ) as refused:
        it.start(definition(processing("A"), emr("Spark"), emr("Hive")))
    assert "[stubs.NAME]" in refused.value.hint
    assert not it.journal.executions()
    assert not it.engine.started


async def test_a_retry_without_the_stub_names_its_step_too(lab):
    it = lab(A=fail)
    stubbed = RunOptions(stubs={"Spark": {}})
    record = await it.run(definition(processing("A"), emr("Spark")), options=stubbed)
    it.journal.save_step(record.run, "Spark", {"name": "Spark", "status": "Waiting"})
    it.executions.overrides = Overrides()
    with pytest.raises(StepBridgeError, match=r"this machine: Spark \(EMR\)"):
        it.executions.retry(record.arn)
    assert it.executions.need(record.arn).status is RunStatus.FAILED


async def test_a_stub_stands_in_for_a_step(lab):
    async def read(container: FakeContainer) -> int:
        container.say(container.spec.environment["WHERE"])
        return 0

    it = lab(A=read)
    after = processing("A", DependsOn=["Hive"])
    after["Arguments"]["Environment"] = {"WHERE": {"Get": "Steps.Spark.ClusterId"}}
    record = await it.run(
        definition(emr("Spark"), emr("Hive"), after),
        options=RunOptions(stubs={"Spark": {"ClusterId": "j-2AXX"}, "Hive": {}}),
    )
    assert record.status is RunStatus.SUCCEEDED
    assert [e.line for e in it.events if isinstance(e, StepLog)] == ["j-2AXX"]


async def test_a_step_that_cannot_run_here_may_be_left_out(lab):
    it = lab(A=succeed)
    only = RunOptions(selected=frozenset({"A"}))
    record = await it.run(definition(processing("A"), emr("Spark")), options=only)
    assert it.statuses(record) == {"A": "Succeeded", "Spark": "Skipped"}
