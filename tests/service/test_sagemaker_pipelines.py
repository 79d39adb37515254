"""Pipelines and executions on the wire, by boto3; the `sagemaker` client checks every answer strictly."""

from __future__ import annotations

import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from stepbridge.storage import ObjectStore

from .conftest import ROLE, FakeExecutions

DEFINITION = '{"Version": "2020-12-01", "Steps": []}'
PIPELINE = "wine-Quality"


def failure(error: pytest.ExceptionInfo[ClientError]) -> tuple[str, str]:
    return error.value.response["Error"]["Code"], error.value.response["Error"]["Message"]


@pytest.fixture
def pipeline(sagemaker: Any) -> str:
    answer = sagemaker.create_pipeline(
        PipelineName=PIPELINE,
        PipelineDefinition=DEFINITION,
        PipelineDescription="tests",
        RoleArn=ROLE,
        ParallelismConfiguration={"MaxParallelExecutionSteps": 3},
        Tags=[{"Key": "team", "Value": "ml"}],
    )
    return str(answer["PipelineArn"])


@pytest.fixture
def execution(sagemaker: Any, pipeline: str) -> str:
    answer = sagemaker.start_pipeline_execution(
        PipelineName=PIPELINE, PipelineParameters=[{"Name": "Rows", "Value": "10"}]
    )
    return str(answer["PipelineExecutionArn"])


def test_a_pipeline_is_described_as_it_was_created(sagemaker: Any, pipeline: str) -> None:
    for name in (PIPELINE, pipeline, pipeline.lower()):
        described = sagemaker.describe_pipeline(PipelineName=name)
        assert described["PipelineArn"] == pipeline
        assert described["PipelineDefinition"] == DEFINITION
        assert described["PipelineStatus"] == "Active"
        assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
        assert described["RoleArn"] == ROLE
        assert "LastRunTime" not in described
    assert sagemaker.list_tags(ResourceArn=pipeline)["Tags"] == [{"Key": "team", "Value": "ml"}]


def test_creating_it_again_fails_as_upsert_expects(sagemaker: Any, pipeline: str) -> None:
    with pytest.raises(ClientError) as error:
        sagemaker.create_pipeline(PipelineName=PIPELINE, PipelineDefinition=DEFINITION, RoleArn=ROLE)
    code, message = failure(error)
    assert code == "ValidationException"
    assert "already exists" in message
    assert "names must be unique within an AWS account" in message


def test_a_retried_create_with_the_same_token_succeeds(sagemaker: Any) -> None:
    token = "t" * 32
    arns = {
        sagemaker.create_pipeline(
            PipelineName="p", PipelineDefinition=DEFINITION, RoleArn=ROLE, ClientRequestToken=token
        )["PipelineArn"]
        for _ in range(2)
    }
    assert len(arns) == 1


def test_update(sagemaker: Any, pipeline: str) -> None:
    new = '{"Version": "2020-12-01", "Steps": [1]}'
    assert sagemaker.update_pipeline(PipelineName=PIPELINE, PipelineDefinition=new)["PipelineArn"] == pipeline
    described = sagemaker.describe_pipeline(PipelineName=PIPELINE)
    assert described["PipelineDefinition"] == new
    assert described["PipelineDescription"] == "tests"


def test_a_definition_that_cannot_be_read(sagemaker: Any, pipeline: str) -> None:
    for call in (
        lambda: sagemaker.create_pipeline(PipelineName="p2", PipelineDefinition="{", RoleArn=ROLE),
        lambda: sagemaker.update_pipeline(PipelineName=PIPELINE, PipelineDefinition="{"),
    ):
        with pytest.raises(ClientError) as error:
            call()
        code, message = failure(error)
        assert code == "ValidationException"
        assert message.startswith("Unable to parse pipeline definition. The definition is no JSON")


def test_a_definition_in_s3(sagemaker: Any, store: ObjectStore) -> None:
    store.put("s3://bucket/definitions/p.json", DEFINITION.encode())
    place = {"Bucket": "bucket", "ObjectKey": "definitions/p.json"}
    sagemaker.create_pipeline(PipelineName="p", PipelineDefinitionS3Location=place, RoleArn=ROLE)
    assert sagemaker.describe_pipeline(PipelineName="p")["PipelineDefinition"] == DEFINITION
    missing = {"Bucket": "bucket", "ObjectKey": "no"}
    with pytest.raises(ClientError) as error:
        sagemaker.create_pipeline(PipelineName="p3", PipelineDefinitionS3Location=missing, RoleArn=ROLE)
    assert "s3://bucket/no" in failure(error)[1]


def test_unknown_pipelines(sagemaker: Any) -> None:
    for call in (
        lambda: sagemaker.describe_pipeline(PipelineName="nope"),
        lambda: sagemaker.update_pipeline(PipelineName="nope"),
        lambda: sagemaker.delete_pipeline(PipelineName="nope"),
        lambda: sagemaker.start_pipeline_execution(PipelineName="nope"),
        lambda: sagemaker.list_pipeline_executions(PipelineName="nope"),
    ):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="nope' does not exist"):
            call()


def test_listing_pipelines_by_pages_and_filters(sagemaker: Any, executions: FakeExecutions) -> None:
    for number in range(7):
        sagemaker.create_pipeline(PipelineName=f"p-{number}", PipelineDefinition=DEFINITION, RoleArn=ROLE)
    pages = sagemaker.get_paginator("list_pipelines").paginate(PaginationConfig={"PageSize": 3})
    names = [one["PipelineName"] for page in pages for one in page["PipelineSummaries"]]
    assert names == [f"p-{number}" for number in reversed(range(7))]
    by_name = sagemaker.list_pipelines(SortBy="Name", SortOrder="Ascending", MaxResults=2)
    assert [one["PipelineName"] for one in by_name["PipelineSummaries"]] == ["p-0", "p-1"]
    sagemaker.create_pipeline(PipelineName="p-00", PipelineDefinition=DEFINITION, RoleArn=ROLE)
    rest = sagemaker.list_pipelines(SortBy="Name", SortOrder="Ascending", NextToken=by_name["NextToken"])
    assert [one["PipelineName"] for one in rest["PipelineSummaries"]] == [f"p-{n}" for n in range(2, 7)]
    prefixed = sagemaker.list_pipelines(PipelineNamePrefix="p-0")
    assert {one["PipelineName"] for one in prefixed["PipelineSummaries"]} == {"p-0", "p-00"}
    later = sagemaker.list_pipelines(CreatedAfter=time.time() + 60)
    assert later["PipelineSummaries"] == []
    with pytest.raises(ClientError) as error:
        sagemaker.list_pipelines(NextToken="nonsense")
    assert failure(error) == ("ValidationException", "Invalid NextToken.")


def test_delete(sagemaker: Any, pipeline: str, execution: str, executions: FakeExecutions) -> None:
    with pytest.raises(ClientError, match="executions that are running"):
        sagemaker.delete_pipeline(PipelineName=PIPELINE)
    executions.move(execution, status="Succeeded")
    assert sagemaker.delete_pipeline(PipelineName=PIPELINE)["PipelineArn"] == pipeline
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_pipeline(PipelineName=PIPELINE)
    assert sagemaker.list_tags(ResourceArn=pipeline)["Tags"] == []


def test_an_execution_from_start_to_end(
    sagemaker: Any, pipeline: str, execution: str, executions: FakeExecutions
) -> None:
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
    assert described["PipelineArn"] == pipeline
    assert described["PipelineExecutionStatus"] == "Executing"
    assert "FailureReason" not in described
    now = time.time()
    job = {"Arn": f"arn:aws:sagemaker:eu-central-1:123456789012:training-job/{'t' * 10}"}
    executions.step_lists[execution] = [
        {"StepName": "Train", "StartTime": now, "StepStatus": "Executing", "Metadata": {"TrainingJob": job}},
        {"StepName": "Check", "StartTime": now, "StepStatus": "Succeeded", "AttemptCount": 1},
    ]
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution)["PipelineExecutionSteps"]
    assert [step["StepName"] for step in steps] == ["Check", "Train"]  # the service lists the last first
    steps = sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=execution, SortOrder="Ascending")
    assert steps["PipelineExecutionSteps"][0]["Metadata"]["TrainingJob"] == job
    executions.move(execution, status="Failed", failure="Step failure: Train: exit code 1")
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
    assert described["FailureReason"] == "Step failure: Train: exit code 1"
    assert "LastRunTime" in sagemaker.describe_pipeline(PipelineName=PIPELINE)
    definition = sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=execution)
    assert definition["PipelineDefinition"] == DEFINITION
    parameters = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=execution)
    assert parameters["PipelineParameters"] == [{"Name": "Rows", "Value": "10"}]


def test_starts_are_idempotent_by_token(sagemaker: Any, pipeline: str) -> None:
    arns = [
        sagemaker.start_pipeline_execution(PipelineName=pipeline, ClientRequestToken=token * 32)[
            "PipelineExecutionArn"
        ]
        for token in ("a", "a", "b")
    ]
    assert arns[0] == arns[1] != arns[2]


def test_everything_that_a_start_may_say(sagemaker: Any, execution: str) -> None:
    selected = {"SelectedSteps": [{"StepName": "Train"}], "SourcePipelineExecutionArn": execution}
    arn = sagemaker.start_pipeline_execution(
        PipelineName=PIPELINE,
        PipelineExecutionDisplayName="nightly",
        PipelineExecutionDescription="by hand",
        ParallelismConfiguration={"MaxParallelExecutionSteps": 2},
        SelectiveExecutionConfig=selected,
    )["PipelineExecutionArn"]
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["PipelineExecutionDisplayName"] == "nightly"
    assert described["PipelineExecutionDescription"] == "by hand"
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    assert described["SelectiveExecutionConfig"] == selected


def test_wrong_parameters_fail_before_anything_starts(sagemaker: Any, pipeline: str) -> None:
    with pytest.raises(ClientError) as error:
        sagemaker.start_pipeline_execution(
            PipelineName=PIPELINE, PipelineParameters=[{"Name": "Row", "Value": "1"}]
        )
    assert failure(error) == ("ValidationException", "Unknown parameters: ['Row'] Did you mean Rows?")
    with pytest.raises(ClientError, match="given more than once"):
        sagemaker.start_pipeline_execution(
            PipelineName=PIPELINE, PipelineParameters=[{"Name": "Rows", "Value": "1"}] * 2
        )


def test_listing_executions(sagemaker: Any, pipeline: str) -> None:
    arns = [
        sagemaker.start_pipeline_execution(PipelineName=PIPELINE)["PipelineExecutionArn"] for _ in range(5)
    ]
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(
        PipelineName=PIPELINE, PaginationConfig={"PageSize": 2}
    )
    listed = [one["PipelineExecutionArn"] for page in pages for one in page["PipelineExecutionSummaries"]]
    assert listed == arns[::-1]
    first = sagemaker.list_pipeline_executions(PipelineName=pipeline, SortOrder="Ascending", MaxResults=1)
    assert first["PipelineExecutionSummaries"][0]["PipelineExecutionArn"] == arns[0]


def test_stop_retry_and_update(sagemaker: Any, execution: str, executions: FakeExecutions) -> None:
    assert (
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)["PipelineExecutionArn"] == execution
    )
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
    assert described["PipelineExecutionStatus"] == "Stopping"
    with pytest.raises(ClientError, match="can be retried"):
        sagemaker.retry_pipeline_execution(PipelineExecutionArn=execution)
    executions.move(execution, status="Stopped")
    with pytest.raises(ClientError, match="can be stopped"):
        sagemaker.stop_pipeline_execution(PipelineExecutionArn=execution)
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=execution)
    sagemaker.update_pipeline_execution(PipelineExecutionArn=execution, PipelineExecutionDisplayName="again")
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
    assert described["PipelineExecutionStatus"] == "Executing"
    assert described["PipelineExecutionDisplayName"] == "again"


def test_callbacks(sagemaker: Any, execution: str, executions: FakeExecutions) -> None:
    executions.callbacks["abcdefghij"] = execution
    answer = sagemaker.send_pipeline_execution_step_success(
        CallbackToken="abcdefghij", OutputParameters=[{"Name": "out", "Value": "1"}]
    )
    assert answer["PipelineExecutionArn"] == execution
    sagemaker.send_pipeline_execution_step_failure(CallbackToken="abcdefghij", FailureReason="no")
    assert executions.calls == [("succeeded", "abcdefghij", {"out": "1"}), ("failed", "abcdefghij", "no")]
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.send_pipeline_execution_step_success(CallbackToken="klmnopqrst")


def test_unknown_executions(sagemaker: Any, pipeline: str) -> None:
    arn = f"{pipeline}/execution/000000000000"
    for name in (
        "describe_pipeline_execution",
        "list_pipeline_execution_steps",
        "list_pipeline_parameters_for_execution",
        "describe_pipeline_definition_for_execution",
        "stop_pipeline_execution",
        "retry_pipeline_execution",
    ):
        with pytest.raises(sagemaker.exceptions.ResourceNotFound, match="does not exist"):
            getattr(sagemaker, name)(PipelineExecutionArn=arn)


def test_tags(sagemaker: Any, pipeline: str) -> None:
    added = sagemaker.add_tags(ResourceArn=pipeline, Tags=[{"Key": "stage", "Value": "dev"}])["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in added} == {"team": "ml", "stage": "dev"}
    sagemaker.delete_tags(ResourceArn=pipeline, TagKeys=["team"])
    assert sagemaker.list_tags(ResourceArn=pipeline)["Tags"] == [{"Key": "stage", "Value": "dev"}]
